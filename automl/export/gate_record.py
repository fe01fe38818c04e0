"""What a gate said of a winner, as its certificate holds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from automl.config.part import Part


class Sayable(Protocol):
    """A condition of a gate."""

    @property
    def name(self) -> str:
        """What is asked for."""

    @property
    def passed(self) -> bool:
        """Whether it is met."""

    @property
    def figure(self) -> str:
        """What was found."""


class GateCondition(Part):
    """One condition with its figure."""

    name: str
    passed: bool
    figure: str


class GateRecord(Part):
    """When and by whom a winner was judged, what came of it, every condition. `forced`: why, if it was."""

    action: str
    at: str
    by: str
    forced: str = ""
    conditions: list[GateCondition]

    @classmethod
    def of(cls, action: str, at: float, by: str, forced: str, conditions: Sequence[Sayable]) -> GateRecord:
        """The record of a decision at `at` (POSIX seconds)."""
        return cls(
            action=action,
            at=datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
            by=by,
            forced=forced,
            conditions=[
                GateCondition(name=one.name, passed=one.passed, figure=one.figure) for one in conditions
            ],
        )

    @classmethod
    def read(cls, action: str, at: float, by: str, content: Mapping[str, Any]) -> GateRecord:
        """The record of a decision that the ledger has."""
        found = [
            GateCondition(name=one["name"], passed=one["passed"], figure=one["figure"])
            for one in content.get("conditions", ())
        ]
        return cls.of(action, at, by, str(content.get("forced", "")), found)
