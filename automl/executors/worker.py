"""What happens on a worker: one job in, reports on the way, one outcome back. Holds no state between jobs."""

from __future__ import annotations

import ctypes
import math
import os
import random
import socket
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, cast

from automl import plugins
from automl.checkpoints import CheckpointFolder
from automl.contracts import (
    Checkpoints,
    Direction,
    Evaluator,
    Job,
    Metric,
    Outcome,
    PluginSpec,
    Report,
    Result,
    Tabular,
    Task,
    TrialState,
    TrialStopped,
    UserError,
)
from automl.data import load_task
from automl.spaces import load_space

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # mallopt(3)
FREE_KEPT = 1 << 30  # bytes


class Channel(Protocol):
    """The way from a running trial to its driver."""

    def report(self, report: Report) -> str | None:
        """Hand over a report; a reason means that the trial ends here."""


@dataclass
class WorkerContext:
    """The `Context` of a trial. Its clock starts when it is made: imports and loading data are free."""

    job: Job
    channel: Channel
    task_or_none: Task | None
    space: Any
    protocol: Evaluator
    device: str
    metrics: list[Metric] = field(init=False)
    artifacts: list[str] = field(default_factory=list)
    reported: int | None = None

    def __post_init__(self) -> None:
        self.seed = self.job.seed
        self.final = self.job.final
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
        """Tell the primary metric after `step`. Raises `TrialStopped` when the trial must end here."""
        value = float(value)
        if not math.isfinite(value):
            raise ValueError(f"a reported value must be finite, but got {value} at step {step}")
        self._send(step, value, metrics)

    def log(self, step: int, **metrics: float) -> None:
        """Tell metrics of `step` without a value. Raises `TrialStopped` when the budget is spent."""
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


def run_job(job: Job, channel: Channel) -> Outcome:
    """Evaluate one configuration, or replay a whole search.

    What the evaluator raises fails this trial alone. Only `KeyboardInterrupt` passes through.
    """
    try:
        _add_import_path(job.import_path)
        evaluator = build_evaluator(job.evaluator)
        if job.replay is not None:
            from automl.executors.simulation import replay_search  # imports optuna

            return replay_search(job, job.replay, cast(Tabular, evaluator))
        context = _context(job, channel)
    except BaseException as error:
        return _ended(job, None, error)
    return evaluate(job, evaluator, context)


def evaluate(job: Job, evaluator: Evaluator, context: WorkerContext) -> Outcome:
    """Evaluate the configuration of `job`. Only `KeyboardInterrupt` passes through."""
    try:
        result = evaluator.evaluate(dict(job.config), context)
        if isinstance(result, Result) and result.stopped:
            return _outcome(job, context, TrialState.PRUNED, result=result, reason=result.stopped)
        values = _values(result, context.metrics)
        return _outcome(job, context, TrialState.COMPLETE, values=values, result=result)
    except BaseException as error:
        return _ended(job, context, error)


def _ended(job: Job, context: WorkerContext | None, error: BaseException) -> Outcome:
    """The outcome of an attempt that `error` ended. Raises what is no matter of the trial's."""
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
    return _outcome(job, context, TrialState.FAILED, reason=reason, trace=trace)


def build_evaluator(spec: PluginSpec) -> Evaluator:
    """The evaluator of a spec, with validated options."""
    plugin = plugins.load("evaluators", spec.name)
    evaluator: Evaluator = plugin(plugin.Options(**spec.options))
    return evaluator


def _context(job: Job, channel: Channel) -> WorkerContext:
    task = load_task(job.task, job.import_path) if job.task.get("dataset") else None
    space = load_space(job.space)
    device = "cuda:0" if job.gpus > 0 else "cpu"
    _seed_everything(job)
    return WorkerContext(job, channel, task, space, build_evaluator(job.protocol), device)


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
    context: WorkerContext | None,
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
        artifacts=[n for n in context.artifacts if (context.workdir / "artifacts" / n).exists()]
        if context
        else [],
        host=_HOST,
        device=_device_name(context.device if context else "cpu"),
    )


def use_cpus(cpus: float) -> None:
    """As many intra-op threads as CPUs held: more fight with other trials for cores. And freed memory stays.

    glibc hands memory back to the system when tens of megabytes are free, as after each step of a training
    on large activations, and the next step faults every page in again: a third of the time of a Conv4 step.
    """
    if "torch" not in sys.modules:
        return
    sys.modules["torch"].set_num_threads(max(1, int(cpus)))
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:  # other C libraries have none
        mallopt(TRIM_THRESHOLD, FREE_KEPT)
        mallopt(MMAP_THRESHOLD, FREE_KEPT // 4)


def _seed_everything(job: Job) -> None:
    """Seeds and threads."""
    random.seed(job.seed)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(job.seed)
    if "torch" in sys.modules:
        torch = sys.modules["torch"]
        torch.manual_seed(job.seed)
        use_cpus(job.cpus)
        torch.optim.SGD(
            [torch.zeros(1)], lr=1.0
        )  # a process's first optimiser imports for a second: not charged


def _add_import_path(folders: list[str]) -> None:
    for folder in folders:
        if folder not in sys.path:
            sys.path.insert(0, folder)


def _device_name(device: str) -> str:
    if device.startswith("cuda") and "torch" in sys.modules and sys.modules["torch"].cuda.is_available():
        return str(sys.modules["torch"].cuda.get_device_name(0))
    return f"cpu ({os.cpu_count()} cores)"


_HOST = socket.gethostname()
