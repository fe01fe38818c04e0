"""The plain data and protocols every room shares.

A trial travels as plain JSON: the driver sends a `Job`, the worker sends back
`Report`s and one `Outcome`. Nothing here holds state of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from automl.basics import (
    PROXY,
    Config,
    Direction,
    Metric,
    Options,
    PluginSpec,
    RunError,
    Scalar,
    TrialState,
    TrialStopped,
    UserError,
    derive_seed,
    digest,
)
from automl.messages import Job, Outcome, Replay, Replayed, Report

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

__all__ = [
    "PROXY",
    "Checkpoints",
    "Config",
    "Context",
    "Direction",
    "EpisodeSpec",
    "Episodes",
    "Evaluator",
    "Executor",
    "Job",
    "JobSource",
    "Metric",
    "Options",
    "Outcome",
    "PluginSpec",
    "Replay",
    "Replayed",
    "Report",
    "Result",
    "RunError",
    "Scalar",
    "Split",
    "Tabular",
    "Task",
    "TrialState",
    "TrialStopped",
    "UserError",
    "derive_seed",
    "digest",
]


@dataclass(frozen=True)
class Result:
    """What an evaluator returns: a value per metric name; for a one-shot search also its genotype."""

    values: dict[str, float]
    metrics: dict[str, float] = field(default_factory=dict)
    derived: Config | None = None


@dataclass(frozen=True)
class Split:
    """One part of a dataset. `x`: (n, ...) array or DataFrame; `y`: (n,) int64 labels or float targets."""

    x: Any
    y: np.ndarray

    def __len__(self) -> int:
        return len(self.y)


ADAPTATION_STEPS = (0, 1, 3, 5, 10)  # after which a meta-learner that goes by steps is judged


@dataclass(frozen=True)
class EpisodeSpec:
    """How few-shot tasks are drawn: `ways` classes with `shots` support and `queries` query examples each.

    `ways` is 0 for regression, whose tasks are functions. Every evaluation uses the same `count` fixed
    episodes. With `rotations`, each class turned by 90, 180 and 270 degrees is a class of its own. Tests are
    taken with `more_shots` too.
    """

    ways: int = 5
    shots: int = 1
    queries: int = 15
    count: int = 600
    rotations: bool = False
    more_shots: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Episodes:
    """A batch of T tasks. Inputs: support (T, S, *shape), query (T, Q, *shape).

    Targets (T, S) and (T, Q): int64 labels in 0..ways-1, or floats when `ways` is 0 (regression).
    """

    support_x: Tensor
    support_y: Tensor
    query_x: Tensor
    query_y: Tensor
    ways: int

    def __len__(self) -> int:
        return len(self.support_x)


@dataclass(frozen=True)
class Task:
    """What searching code may see: training and validation data, never test.

    `kind`: `image`, `table`; `shape`: (channels, height, width) or (features,);
    `classes`: number of classes, 0 for regression; `digest`: sha256 of all data and the split.
    `episodes`: the parts hold different classes (or functions), from which few-shot tasks are drawn.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    classes: int
    train: Split
    validation: Split
    digest: str
    episodes: EpisodeSpec | None = None


class Checkpoints(Protocol):
    """Keeps the states of one trial so that a second attempt continues from the last good one."""

    def save(self, step: int, state: Mapping[str, Any]) -> None:
        """Write `state` (tensors, numbers, strings in dicts and lists) after `step`, atomically."""

    def load(self) -> tuple[int, dict[str, Any]] | None:
        """The newest intact (step, state), or None. Damaged files are skipped, never loaded."""


class Context(Protocol):
    """What an evaluator gets besides the configuration."""

    seed: int
    device: str
    workdir: Path
    final: bool
    metrics: list[Metric]

    @property
    def checkpoint(self) -> Checkpoints:
        """The checkpoints of this trial, shared by its attempts."""

    @property
    def remaining(self) -> float:
        """Device-seconds left for this trial (`inf` without such a budget)."""

    @property
    def devices(self) -> float:
        """Devices this trial holds; a wall second costs this many device-seconds."""

    @property
    def task(self) -> Task:
        """Training and validation data. Raises `UserError` when the study has no dataset."""

    @property
    def space(self) -> Any:
        """The `automl.space.Space` of this trial's configuration."""

    @property
    def protocol(self) -> Evaluator:
        """The study's evaluator, by which a genotype is trained."""

    def report(self, step: int, value: float, **metrics: float) -> None:
        """Tell the primary metric after `step`. Raises `TrialStopped` when the trial must end here."""

    def charge(self, device_seconds: float) -> None:
        """Set a simulated clock: the trial has cost so much in all, whatever time it really takes.

        Raises `TrialStopped` when that is more than its budget leaves; it then has cost just that.
        """

    def log(self, step: int, **metrics: float) -> None:
        """Tell metrics of `step` that are no value of the trial: it is not pruned by them.

        Raises `TrialStopped` when the trial has spent its budget.
        """

    def artifact(self, name: str) -> Path:
        """Path to write the artifact `name` to; it is recorded when the trial ends."""


class Evaluator(Protocol):
    """Says how good a configuration is. A plug-in is a class taking its validated `Options`.

    `needs_data`: the study must name a dataset. `builder`: what the space must build for it.
    `one_shot`: it searches the whole space in a single trial and returns a `derived` configuration.
    """

    Options: ClassVar[type[Options]]
    needs_data: ClassVar[bool]
    builder: ClassVar[Literal["network", "supernet"] | None]
    one_shot: ClassVar[bool]

    def evaluate(self, config: Config, context: Context) -> Result:
        """Evaluate `config`; may report, checkpoint and write artifacts on the way."""

    def score(self, model: Path, task: Task, data: Split, metrics: list[Metric]) -> dict[str, float]:
        """Metrics on `data` of the model that a `final` evaluation left in the folder `model`."""


class Tabular(Evaluator, Protocol):
    """An evaluator that looks its values and costs up: its trials can be replayed on a simulated clock.

    A plug-in with a true `simulated` is taken for one.
    """

    simulated: ClassVar[bool]

    def mistakes(self, space: Any, metrics: list[Metric]) -> list[tuple[str, str]]:
        """What keeps its options from serving `space` (an `automl.space.Space`): (option, text) pairs."""

    def fresh(self, config: Config) -> list[float]:
        """Fresh-seed validation values of a configuration."""


class JobSource(Protocol):
    """The campaign as executors see it: they pull jobs and push what happens to them."""

    def next_job(self) -> Job | None:
        """The next job; None when there is none now (see `finished`)."""

    @property
    def finished(self) -> bool:
        """No job is open and none will come."""

    def report(self, trial: str, token: str, report: Report) -> str | None:
        """Take a report; a reason ends the trial, None lets it go on."""

    def finish(self, trial: str, token: str, outcome: Outcome) -> None:
        """Take the end of an attempt."""

    def lost(self, trial: str, token: str, reason: str) -> None:
        """The attempt's worker died: retry it from its checkpoint or fail it."""


class Executor(Protocol):
    """Where trials run. A plug-in is a class taking its validated `Options`.

    `cpus`, `gpus`: what each trial holds; `trials_at_once` is right after `check`.
    """

    Options: ClassVar[type[Options]]
    cpus: float
    gpus: float
    trials_at_once: int

    def check(self) -> None:
        """Raise `UserError` when no node has the resources a trial asks for. Starts what it needs."""

    def run(self, source: JobSource) -> None:
        """Run jobs from `source` until it is finished."""

    def close(self) -> None:
        """Let go of all workers."""
