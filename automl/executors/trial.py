"""One attempt of a trial on a worker: its context. What becomes of it is in `outcomes`."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

from automl.checkpoints import CheckpointFolder
from automl.contracts import (
    KEPT,
    RESERVED_METRICS,
    Bounds,
    Candidate,
    Checkpoints,
    Direction,
    Evaluator,
    Job,
    Metric,
    Report,
    RunError,
    Task,
    TrialStopped,
    UserError,
    broken,
    storable,
)
from automl.executors import surroundings
from automl.executors.answers import whole_step
from automl.files import CHECKPOINTS, MODEL, StoredCheckpoints, below, part_of
from automl.metrics import number
from automl.ranks.checkpoints import OfRank0
from automl.ranks.group import agreed, decided
from automl.space import Space


class Channel(Protocol):
    """The connection of a running trial to its driver."""

    def report(self, report: Report) -> str | None:
        """Send a report; a reason ends the trial."""


@dataclass
class TrialContext:
    """The `Context` of a trial. Its clock starts when it is made: imports and loading data are free."""

    job: Job
    channel: Channel
    task_or_none: Task | None
    space: Space
    protocol: Evaluator
    device: str
    metrics: list[Metric] = field(init=False)
    artifacts: list[str] = field(default_factory=list)
    reported: int | None = None
    left_out: dict[str, str] = field(default_factory=dict)  # metrics that are not finite: where first
    known: dict[str, float] = field(default_factory=dict)  # metrics that were measured before its end

    def __post_init__(self) -> None:
        self.seed = self.job.seed
        self.final = self.job.final
        self.needs_value, self.refits = self.job.needs_value, self.job.refits
        self.candidates: Sequence[Candidate] = self.job.candidates
        self.workdir = Path(self.job.workdir)
        self.metrics = [Metric(m["name"], Direction(m["direction"])) for m in self.job.metrics]
        self.constraints: Mapping[str, Bounds] = {
            name: Bounds(**bounds) for name, bounds in self.job.constraints.items()
        }
        self._started = time.perf_counter()
        self._charged: float | None = None  # by a simulated clock
        self._stored: StoredCheckpoints | None = None  # once there are any, of a job with a storage

    @property
    def device_seconds(self) -> float:
        """Cost of this attempt so far."""
        if self._charged is not None:
            return self._charged
        return (time.perf_counter() - self._started) * self.job.devices

    @property
    def remaining(self) -> float:
        """Device-seconds left for this trial (`inf` without such a budget)."""
        return math.inf if self.job.remaining is None else agreed(self.job.remaining - self.device_seconds)

    @property
    def devices(self) -> float:
        """Devices this trial holds."""
        return self.job.devices

    @property
    def task(self) -> Task:
        """Training and validation data."""
        if self.task_or_none is None:
            raise UserError("task.dataset must be set for an evaluator that asks for data, but it is not")
        return self.task_or_none

    @cached_property
    def checkpoint(self) -> Checkpoints:
        """The checkpoints of this trial, shared by its attempts."""
        if self.job.storage is None:
            return OfRank0(CheckpointFolder(self.workdir / CHECKPOINTS))
        self._stored = StoredCheckpoints(self.workdir / CHECKPOINTS, below(self.job.storage, CHECKPOINTS))
        return OfRank0(self._stored)

    def settle(self) -> int:
        """Wait until the storage has the newest checkpoint; how many did not get there."""
        if self._stored is None:
            return 0
        self._stored.settle()
        return len(self._stored.failed)

    def report(self, step: int, value: float, **metrics: float) -> None:
        """Report the primary metric after `step`. Raises `TrialStopped` when the trial must end."""
        primary = self.metrics[0].name
        if primary in metrics:
            raise ValueError(
                f"a report's value is that of {primary}, but got {primary} once more; give it only once"
            )
        self._send(step, number(primary, value), metrics)

    def log(self, step: int, **metrics: float) -> None:
        """Log metrics of `step` without a value. Raises `TrialStopped` when the budget is spent."""
        self._send(step, None, metrics)

    def _send(self, step: int, value: float | None, metrics: Mapping[str, float]) -> None:
        if surroundings.is_copy():
            raise RuntimeError("a trial must be reported by its own process, but a copy of it reported")
        step = whole_step(step)
        if self.reported is not None and step <= self.reported:
            raise ValueError(f"steps must increase, but got {step} after {self.reported}; report each once")
        self.reported = step
        kept = self.kept(metrics, f"at step {step}")
        reason = decided(self.channel.report(Report(step, value, self.device_seconds, kept)))
        if reason is not None:
            raise TrialStopped(reason)

    def kept(self, metrics: Mapping[str, float], where: str) -> dict[str, float]:
        """The metrics that can be recorded; others are noted. Raises `ValueError` for a name that is ours."""
        kept = {}
        for name, value in metrics.items():
            if name in RESERVED_METRICS:
                raise ValueError(f"{name} is recorded for every trial; give this metric another name")
            if math.isfinite(value):
                kept[storable(str(name))] = float(value)
            else:
                self.left_out.setdefault(storable(str(name)), f"{value} {where}")
        return kept

    def measured(self, **metrics: float) -> None:
        """Keep metrics that are known already. Raises `TrialStopped` when one breaks a constraint."""
        self.known |= self.kept(metrics, "before its end")
        if reason := decided("" if self.final else broken(self.constraints, self.known)):
            raise TrialStopped(reason)

    def charge(self, device_seconds: float) -> None:
        """Set a simulated clock. Raises `TrialStopped` when that is more than the budget leaves."""
        if not 0 <= device_seconds < math.inf:
            raise ValueError(f"a cost must be a finite number from 0, but got {device_seconds}")
        left = math.inf if self.job.remaining is None else self.job.remaining
        self._charged = min(device_seconds, left)
        if device_seconds > left:
            raise TrialStopped("budget: the trial needs more than the device-seconds that are left")

    def stop(self, device_seconds: float) -> None:
        """Let the clock stand at the end of the evaluation: what follows is free, also when it is killed."""
        self._charged = device_seconds

    def kept_by(self, candidate: Candidate) -> AbstractContextManager[Path]:
        """The folder `KEPT` that a candidate has left, inside a `with` block."""
        return part_of(candidate, KEPT)

    def refitted(self) -> AbstractContextManager[Path]:
        """The folder `model` of what is refitted, inside a `with` block."""
        if self.job.tested is None:
            raise RunError("the model that was tested is not there")
        return part_of(self.job.tested, MODEL)

    def artifact(self, name: str) -> Path:
        """Path to write the artifact `name` to; it is recorded when the trial ends."""
        if Path(name).name != name or name in {"", ".", ".."} or storable(name) != name:
            raise ValueError(f"an artifact's name must be a plain file name, but got {name!r}")
        if name not in self.artifacts:
            self.artifacts.append(name)
        folder = self.workdir / "artifacts"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / name

    def written(self) -> list[str]:
        """Names of the artifacts that are there."""
        return [name for name in self.artifacts if (self.workdir / "artifacts" / name).exists()]
