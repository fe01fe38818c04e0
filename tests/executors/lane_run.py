"""Lanes without workers: a campaign in memory, slots of a given number, a clock that a test moves on."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from queue_source import job

from automl.checking.jobs import QueueSource
from automl.contracts import Ending, Held, Job, Outcome, TrialState
from automl.executors.tune import dividing
from automl.executors.tune import lane as lane_module
from automl.executors.tune import lanes as lanes_module
from automl.executors.tune.dividing import Place
from automl.executors.tune.lanes import Lanes


class Source(QueueSource):
    """Keeps how jobs were lost; `left`: seconds that are left for trials by name; `bound`: its share."""

    def __init__(self, jobs: list[Job]) -> None:
        super().__init__(jobs)
        self.bound: int | None = None
        self.left: dict[str, float] = {}
        self.losses: list[tuple[str, Ending, float | None]] = []

    @property
    def share(self) -> int | None:
        return self.bound

    def time_left(self, trial: str, token: str, elapsed: float) -> float:
        assert trial in self.open, "time is asked for open trials only"
        return self.left.get(trial, 9.0)

    def lost(
        self, trial: str, token: str, reason: str, ending: Ending = Ending.LOST, used: float | None = None
    ) -> None:
        self.losses.append((trial, ending, used))
        self.waiting.insert(0, self.open.pop(trial))


class Handle:
    """An actor that keeps what it is given."""

    def __init__(self) -> None:
        self.given: list[dict[str, Any]] = []
        self.give = self

    def remote(self, text: str) -> None:
        self.given.append(json.loads(text))

    @property
    def jobs(self) -> list[int]:
        return [number for given in self.given for number, _ in given.get("jobs", ())]

    def all(self, kind: str) -> list[Any]:
        return [each for given in self.given for each in given.get(kind, ())]


@dataclass
class Slots:
    count: int
    held: int = 0

    broken: str = ""
    sizes: tuple[Held, ...] = (Held(1.0),)

    def hold(self, lanes: int) -> None:
        self.held = lanes

    def fault(self, outcome: Outcome) -> str:
        return self.broken and f"its node {self.broken} is broken"

    @property
    def lanes(self) -> int:
        return max(1, self.count)


class Clock:
    """Monotonic time that a test moves on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        for module in (lane_module, lanes_module, dividing):
            monkeypatch.setattr(module.time, "monotonic", lambda: self.now)


class Run:
    """Lanes `a`, `b`, … that are up, and what they tell."""

    def __init__(self, folder: Path, clock: Clock, jobs: int, slots: int, learns: bool = True) -> None:
        plain = job("good", folder)
        self.source = Source([replace(plain, trial=f"t{n}", token=f"t{n}") for n in range(1, jobs + 1)])
        self.source.learns = learns
        self.slots, self.clock = Slots(slots), clock
        self.lanes = Lanes(self.source, self.slots)  # type: ignore[arg-type]
        self.handles: dict[str, Handle] = {}
        for name in "abcdefgh"[:slots]:
            self.start(name)

    def start(self, name: str) -> None:
        self.handles[name] = Handle()
        self.lanes.opened(name, Place(self.slots.sizes[0]))
        self.lanes.started(name, self.handles[name])

    def tell(self, name: str, *messages: dict[str, Any]) -> None:
        self.lanes.told(name, messages)

    def held(self, name: str) -> list[int]:
        return [handed.number for handed in self.lanes.by_name[name].jobs]


def reported(number: int, step: int, device_seconds: float = 0.1) -> dict[str, Any]:
    report = {"step": step, "value": 0.5, "device_seconds": device_seconds, "metrics": {}}
    return {"of": number, "report": report, "host": "node-1", "device": "card"}


def silent(number: int, elapsed: float | None = None) -> dict[str, Any]:
    return {"of": number, "elapsed": elapsed, "host": "node-1", "device": "card"}


def ended(number: int, seconds: float = 0.0) -> dict[str, Any]:
    outcome = Outcome(TrialState.COMPLETE, seconds, values=[1.0])
    return {"of": number, "outcome": outcome.to_json(), "seconds": seconds}
