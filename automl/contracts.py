"""The plain data and protocols every room shares. Imports nothing of ours.

A trial travels as plain JSON: the driver sends a `Job`, the worker sends back
`Report`s and one `Outcome`. Nothing here holds state of its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeAlias

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

Scalar: TypeAlias = str | int | float | bool | None
Config: TypeAlias = dict[str, Scalar]
PROXY = "proxy_"  # begins the name of a metric that is a zero-cost proxy's score


class UserError(Exception):
    """A mistake of the user: the rule, the value, what to do. Exit code 2, no traceback."""


class RunError(Exception):
    """A failure while running: what failed, what is safe, how to go on. Exit code 1."""


class TrialStopped(BaseException):
    """Ends a trial from inside `Context.report`: pruned, out of budget, or past its deadline.

    Not an `Exception`, so that an objective's own `except Exception` cannot swallow it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TrialState(StrEnum):
    """Life of a trial: RUNNING until exactly one of the other three, for good."""

    RUNNING = "running"
    COMPLETE = "complete"
    PRUNED = "pruned"
    FAILED = "failed"


class Direction(StrEnum):
    """Whether a metric's larger or smaller values are better."""

    MAXIMIZE = "maximize"
    MINIMIZE = "minimize"

    def better(self, a: float, b: float) -> bool:
        """Whether `a` is strictly better than `b`."""
        return a > b if self is Direction.MAXIMIZE else a < b


class Options(BaseModel):
    """Base of every plug-in's options: unknown keys are errors, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Metric:
    """One objective: its name and direction. The first of a study is its primary metric."""

    name: str
    direction: Direction


@dataclass(frozen=True)
class PluginSpec:
    """A plug-in by name with its options, as a study file writes it: `{name: {option: value}}`."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Replay:
    """A whole search that one job runs in memory, on the simulated clock of its evaluator.

    `strategy` None: the job's own configuration is the only trial. `budget` in device-seconds and
    `trials` end it, None for no such limit. `finals`: fresh-seed values wanted of its winner.
    """

    strategy: PluginSpec | None
    pruner: PluginSpec
    seed: int
    budget: float | None
    trials: int | None
    finals: int

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Replay:
        """The replay that `dataclasses.asdict` wrote."""
        strategy, pruner = data["strategy"], PluginSpec(**data["pruner"])
        return cls(**{**data, "strategy": strategy and PluginSpec(**strategy), "pruner": pruner})


@dataclass(frozen=True)
class Job:
    """What a worker is told: plain JSON, enough to evaluate one configuration anywhere.

    `remaining` and all other costs are device-seconds (wall seconds times `devices`);
    `deadline` is wall seconds. `protocol` is the study's evaluator, by which a supernet's
    genotype is trained. `final` marks a fresh-seed retraining, whose model is kept. `screen` names
    the zero-cost proxy by which the configuration is only scored; empty: it is evaluated.
    With `replay` the job is a whole search, which `trial` names.
    """

    trial: str
    token: str
    attempt: int
    space: dict[str, Any]
    task: dict[str, Any]
    metrics: list[dict[str, str]]
    evaluator: PluginSpec
    protocol: PluginSpec
    config: Config
    seed: int
    workdir: str
    devices: float
    cpus: float
    gpus: float
    remaining: float | None
    deadline: float
    final: bool = False
    import_path: list[str] = field(default_factory=list)
    screen: str = ""
    replay: Replay | None = None

    def to_json(self) -> dict[str, Any]:
        """The job as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Job:
        """The job that `to_json` wrote."""
        fields = dict(data)
        fields["evaluator"] = PluginSpec(**fields["evaluator"])
        fields["protocol"] = PluginSpec(**fields["protocol"])
        fields["replay"] = fields.get("replay") and Replay.from_json(fields["replay"])
        return cls(**fields)


@dataclass(frozen=True)
class Report:
    """One intermediate value: `step` as the evaluator counts (epochs, folds), cost in device-seconds.

    `value` is None for metrics of a step that is not the trial's own (an epoch of a supernet).
    """

    step: int
    value: float | None
    device_seconds: float
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended. `values` has one entry per metric of the study, all finite, when complete.

    `derived` is the configuration a one-shot search found; `artifacts` are file names
    under `<workdir>/artifacts`. `trials`: those of a replayed search, whose end `reason` says.
    """

    state: TrialState
    device_seconds: float
    values: list[float] | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    derived: Config | None = None
    reason: str = ""
    traceback: str = ""
    artifacts: list[str] = field(default_factory=list)
    host: str = ""
    device: str = ""
    trials: list[Replayed] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The outcome as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Outcome:
        """The outcome that `to_json` wrote."""
        trials = [Replayed.from_json(trial) for trial in data.get("trials", ())]
        return cls(**{**data, "state": TrialState(data["state"]), "trials": trials})


@dataclass(frozen=True)
class Replayed:
    """One trial of a replayed search, ended; the order of a search's trials is that of their tells.

    `kind` is `trial`, or `final` for a fresh-seed value of the winner. Times are POSIX seconds of the
    replay itself; costs are those of the simulated clock.
    """

    kind: str
    number: int
    config: Config
    seed: int
    outcome: Outcome
    reports: list[Report]
    started_at: float
    finished_at: float

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Replayed:
        """The trial that `dataclasses.asdict` wrote."""
        reports = [Report(**report) for report in data["reports"]]
        return cls(**{**data, "outcome": Outcome.from_json(data["outcome"]), "reports": reports})


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


@dataclass(frozen=True)
class EpisodeSpec:
    """How few-shot tasks are drawn: `ways` classes with `shots` support and `queries` query examples each.

    `ways` is 0 for regression, whose tasks are functions. Every evaluation uses the same `count` fixed
    episodes. With `rotations`, each class turned by 90, 180 and 270 degrees is a class of its own.
    """

    ways: int = 5
    shots: int = 1
    queries: int = 15
    count: int = 600
    rotations: bool = False


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


def derive_seed(*parts: str | int) -> int:
    """A 31-bit seed that depends on every part and is equal in every process."""
    text = json.dumps(parts).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:4], "big") >> 1


def digest(data: Any) -> str:
    """Sha256 (hex) of plain JSON data, independent of key order."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
