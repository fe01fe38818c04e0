"""Schedules, firings and stand-ins for campaigns that the tests of this folder share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import schedule_worker

from automl.config.study import Schedule
from automl.ledger import FiringRow, Ledger, ScheduleRow, Store

HOUR = 3600.0
NOON = schedule_worker.NOON


def study(name: str = "nightly", **keys: Any) -> Any:
    keys = {"cron": "0 * * * *", **keys}
    return SimpleNamespace(name=name, schedule=Schedule(**keys) if keys["cron"] else None)


def row(cron: str, timezone: str = "UTC") -> ScheduleRow:
    return ScheduleRow("s", "s.yaml", cron, timezone, 3600, False, 0.0, 0.0)


@dataclass
class Done:
    """A campaign that ends at once, or when it is asked to."""

    status: int | None = 0

    def poll(self) -> int | None:
        return self.status

    def terminate(self) -> None:
        self.status = 143

    def kill(self) -> None:
        self.status = -9

    def wait(self, timeout: float | None = None) -> int:
        return 0 if self.status is None else self.status


class Runs:
    """Records what is launched; its processes have a given status."""

    def __init__(self, status: int | None = 0, text: str = "") -> None:
        self.started: list[str] = []
        self.processes: list[Done] = []
        self.status, self.text = status, text

    def __call__(self, planned: ScheduleRow, firing: FiringRow, store: Store, log: Path) -> Done:
        self.started.append(planned.study)
        log.write_text(self.text)
        self.processes.append(Done(self.status))
        return self.processes[-1]


def states(ledger: Ledger, name: str | None = None) -> list[tuple[int, str]]:
    """Hours after noon and state of all firings."""
    return [(round((firing.slot - NOON) / HOUR), firing.state) for firing in ledger.firings(name)]
