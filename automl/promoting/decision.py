"""What was decided about a model of a study, as one typed value: for people, programs and notices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from automl.ledger.promotions import Action
from automl.report.plain import plain

if TYPE_CHECKING:
    from automl.ledger.promotions import PromotionRow


@dataclass(frozen=True)
class Condition:
    """One condition of a gate and its figure. `value` must be better than, or at least, `wanted`.

    `difference` (value − wanted) and its `interval` are in the metric's unit where there are any.
    """

    name: str
    passed: bool
    figure: str
    value: float | None = None
    wanted: float | None = None
    difference: float | None = None
    interval: tuple[float, float] | None = None

    @property
    def sentence(self) -> str:
        """The condition with its figure and its answer."""
        return f"{self.name}: {self.figure}: {'yes' if self.passed else 'no'}"


@dataclass(frozen=True)
class Measured:
    """A model's values, by which it is compared later. `key`: of what they are (`comparable.measured`).

    `test`, `fresh`: of its retrainings; `validation`: the best of each search of its arm.
    """

    key: str
    metric: str
    direction: str
    test: tuple[float, ...] = ()
    fresh: tuple[float, ...] = ()
    validation: tuple[float, ...] = ()

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Measured:
        """The values that `plain` wrote."""
        lists = {level: tuple(data[level]) for level in ("test", "fresh", "validation")}
        return cls(data["key"], data["metric"], data["direction"], **lists)


@dataclass(frozen=True)
class Decision:
    """A decision about a model of `study`: promote, refuse, keep, rollback or archive.

    `version`: of the model in MLflow's registry, None while it has none. `previous`: the version of the
    champion before. `forced`: why it was promoted against the gate. `dry`: nothing was written. `at`: POSIX
    seconds.
    """

    study: str
    action: Action
    sentence: str
    campaign: str | None = None
    arm: str | None = None
    trial: str | None = None
    model: str | None = None
    version: int | None = None
    previous: int | None = None
    conditions: tuple[Condition, ...] = ()
    measured: Measured | None = None
    forced: str = ""
    by: str = ""
    at: float = 0.0
    dry: bool = False

    @property
    def failing(self) -> tuple[Condition, ...]:
        """The conditions that are not met."""
        return tuple(condition for condition in self.conditions if not condition.passed)

    def to_json(self) -> dict[str, JsonValue]:
        """Plain JSON."""
        data = plain(self)
        return data if isinstance(data, dict) else {}


@dataclass(frozen=True)
class Content:
    """What the ledger keeps of a decision beside its columns. `metrics`: the final values of the model."""

    sentence: str
    arm: str | None = None
    trial: str | None = None
    conditions: tuple[Condition, ...] = ()
    measured: Measured | None = None
    forced: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, JsonValue]:
        """Plain JSON."""
        data = plain(self)
        return data if isinstance(data, dict) else {}

    @classmethod
    def of(cls, row: PromotionRow) -> Content:
        """What a row of the ledger holds."""
        data = row.content
        found = data.get("measured")
        return cls(
            sentence=str(data.get("sentence", "")),
            arm=data.get("arm"),
            trial=data.get("trial"),
            conditions=tuple(_condition(entry) for entry in data.get("conditions", ())),
            measured=None if found is None else Measured.from_json(found),
            forced=str(data.get("forced", "")),
            metrics=data.get("metrics", {}),
        )


def _condition(data: Mapping[str, Any]) -> Condition:
    interval = data.get("interval")
    return Condition(**{**data, "interval": None if interval is None else (interval[0], interval[1])})


def decision_of(row: PromotionRow, previous: int | None = None) -> Decision:
    """A decision as the ledger has it. `previous`: the version of the champion before."""
    content = Content.of(row)
    return Decision(
        study=row.study,
        action=row.action,  # type: ignore[arg-type]  # the reader of rows has checked it
        sentence=content.sentence,
        campaign=row.campaign,
        arm=content.arm,
        trial=content.trial,
        model=row.model,
        version=row.version,
        previous=previous,
        conditions=content.conditions,
        measured=content.measured,
        forced=content.forced,
        by=row.by,
        at=row.at,
    )
