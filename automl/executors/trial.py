"""One attempt of a trial on a worker: its context, and the outcome of its evaluation."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol

from automl.checkpoints import CheckpointFolder
from automl.contracts import (
    Checkpoints,
    Direction,
    Evaluator,
    Job,
    Metric,
    Outcome,
    Report,
    Result,
    Task,
    TrialState,
    TrialStopped,
    UserError,
)
from automl.executors.ending import classify
from automl.executors.process import HOST, device_name
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

    def __post_init__(self) -> None:
        self.seed = self.job.seed
        self.final = self.job.final
        self.needs_value = self.job.needs_value
        self.workdir = Path(self.job.workdir)
        self.metrics = [Metric(m["name"], Direction(m["direction"])) for m in self.job.metrics]
        self._started = time.perf_counter()
        self._charged: float | None = None  # by a simulated clock

    @property
    def device_seconds(self) -> float:
        """Cost of this attempt so far."""
        if self._charged is not None:
            return self._charged
        return (time.perf_counter() - self._started) * self.job.devices

    @property
    def remaining(self) -> float:
        """Device-seconds left for this trial (`inf` without such a budget)."""
        return math.inf if self.job.remaining is None else self.job.remaining - self.device_seconds

    @property
    def devices(self) -> float:
        """Devices this trial holds."""
        return self.job.devices

    @property
    def task(self) -> Task:
        """Training and validation data."""
        if self.task_or_none is None:
            raise UserError(
                "task.dataset must be given for an evaluator that asks for data, but it is not set"
            )
        return self.task_or_none

    @cached_property
    def checkpoint(self) -> Checkpoints:
        """The checkpoints of this trial, shared by its attempts."""
        return CheckpointFolder(self.workdir / "checkpoints")

    def report(self, step: int, value: float, **metrics: float) -> None:
        """Report the primary metric after `step`. Raises `TrialStopped` when the trial must end."""
        value = float(value)
        if not math.isfinite(value):
            raise ValueError(f"a reported value must be finite, but got {value} at step {step}")
        self._send(step, value, metrics)

    def log(self, step: int, **metrics: float) -> None:
        """Log metrics of `step` without a value. Raises `TrialStopped` when the budget is spent."""
        self._send(step, None, metrics)

    def _send(self, step: int, value: float | None, metrics: Mapping[str, float]) -> None:
        if self.reported is not None and step <= self.reported:
            raise ValueError(f"steps must increase, but got {step} after {self.reported}")
        self.reported = step
        finite = {name: float(v) for name, v in metrics.items() if math.isfinite(v)}
        reason = self.channel.report(Report(int(step), value, self.device_seconds, finite))
        if reason is not None:
            raise TrialStopped(reason)

    def charge(self, device_seconds: float) -> None:
        """Set a simulated clock. Raises `TrialStopped` when that is more than the budget leaves."""
        left = math.inf if self.job.remaining is None else self.job.remaining
        self._charged = min(device_seconds, left)
        if device_seconds > left:
            raise TrialStopped("budget: the trial needs more than the device-seconds that are left")

    def artifact(self, name: str) -> Path:
        """Path to write the artifact `name` to; it is recorded when the trial ends."""
        if Path(name).name != name or name in {"", ".", ".."}:
            raise ValueError(f"an artifact's name must be a plain file name, but got {name!r}")
        if name not in self.artifacts:
            self.artifacts.append(name)
        folder = self.workdir / "artifacts"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / name

    def written(self) -> list[str]:
        """Names of the artifacts that are there."""
        return [name for name in self.artifacts if (self.workdir / "artifacts" / name).exists()]


def evaluate(job: Job, evaluator: Evaluator, context: TrialContext) -> Outcome:
    """Evaluate the configuration of `job`. Re-raises errors that are not the trial's fault."""
    try:
        result = evaluator.evaluate(dict(job.config), context)
        if isinstance(result, Result) and result.stopped:
            return _outcome(job, context, TrialState.PRUNED, result=result, reason=result.stopped)
        values = _values(result, context.metrics)
        return _outcome(job, context, TrialState.COMPLETE, values=values, result=result, reason=result.note)
    except BaseException as error:
        return ended(job, context, error)


def ended(job: Job, context: TrialContext | None, error: BaseException) -> Outcome:
    """The outcome of an attempt that `error` ended. Re-raises errors that are not the trial's fault."""
    if isinstance(error, TrialStopped):
        return _outcome(job, context, TrialState.PRUNED, reason=error.reason)
    if isinstance(error, SystemExit):
        reason = f"the evaluation called sys.exit({error.code!r})"
    elif isinstance(error, MemoryError):
        reason = "out of memory"
    elif isinstance(error, Exception):
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    else:
        raise error
    trace = "".join(traceback.format_exception(error))
    outcome = _outcome(job, context, TrialState.FAILED, reason=reason, trace=trace)
    return replace(outcome, error=classify(error))


def _values(result: object, metrics: list[Metric]) -> list[float]:
    if not isinstance(result, Result):
        raise TypeError(f"an evaluator must return a Result, but got {type(result).__name__}")
    missing = [m.name for m in metrics if m.name not in result.values]
    if missing:
        raise ValueError(f"a result must hold every metric of the study, but {', '.join(missing)} is missing")
    values = [float(result.values[m.name]) for m in metrics]
    for metric, value in zip(metrics, values, strict=True):
        if not math.isfinite(value):
            raise ValueError(f"{metric.name} must be finite, but got {value}")
    return values


def _outcome(
    job: Job,
    context: TrialContext | None,
    state: TrialState,
    *,
    values: list[float] | None = None,
    result: Result | None = None,
    reason: str = "",
    trace: str = "",
) -> Outcome:
    metrics: Mapping[str, float] = result.metrics if result else {}
    return Outcome(
        state=state,
        device_seconds=context.device_seconds if context else 0.0,
        values=values,
        metrics={name: float(v) for name, v in metrics.items() if math.isfinite(v)},
        derived=result.derived if result else None,
        reason=reason,
        traceback=trace,
        artifacts=context.written() if context else [],
        host=HOST,
        device=device_name(context.device if context else "cpu"),
    )
