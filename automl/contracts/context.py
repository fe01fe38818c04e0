"""What an evaluator gets besides the configuration, and what it returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from automl.contracts.basics import Config, Json, Metric
from automl.contracts.constraints import Bounds
from automl.contracts.data import Task
from automl.contracts.leaving import Candidate

if TYPE_CHECKING:
    from automl.contracts.evaluators import Evaluator
    from automl.space import Space


@dataclass(frozen=True)
class Result:
    """What an evaluator returns: a value per metric name; for a one-shot search also its genotype.

    `stopped`: the trial ends as pruned for this reason; `values` may then be empty. `note`: what should be
    known of a complete trial; it is recorded as the reason of its end.
    """

    values: dict[str, float]
    metrics: dict[str, float] = field(default_factory=dict)
    derived: Config | None = None
    stopped: str = ""
    note: str = ""


State: TypeAlias = dict[str, Any]  # tensors, numbers and strings, in dicts and lists
Checkpoint: TypeAlias = tuple[int, State]  # a step, and the state after it


class Checkpoints(Protocol):
    """Keeps the states of one trial so that a second attempt continues from the last good one."""

    def save(self, step: int, state: Mapping[str, Any]) -> None:
        """Write `state` (tensors, numbers, strings in dicts and lists) after `step`, atomically."""

    def load(self) -> Checkpoint | None:
        """The newest intact (step, state), or None. Damaged files are skipped, never loaded."""


class Context(Protocol):
    """What an evaluator gets besides the configuration.

    `needs_value`: the search has no value yet. An evaluator that can should return what it has reached when
    the budget is used up, rather than report once more and be stopped without a value.
    `candidates`: trials that a final evaluation may combine (see `Evaluator.combined`), the best ones first.
    `refits`: what `<workdir>/model/config.json` says of a model that a final evaluation has left, which is to
    be fitted again, the same in all but its rows: those of training are now all that there are, validation
    and test included, so nothing of it can be measured; None for any other evaluation.
    `constraints`: the bounds of further metrics, by name. A result must hold these metrics too, among its
    values or its metrics; a trial that breaks one ends as pruned (see `measured`).
    """

    seed: int
    device: str
    workdir: Path
    final: bool
    metrics: list[Metric]
    needs_value: bool
    candidates: Sequence[Candidate]
    refits: Json | None
    constraints: Mapping[str, Bounds]

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
    def space(self) -> Space:
        """The space of this trial's configuration."""

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

    def measured(self, **metrics: float) -> None:
        """Tell metrics of the configuration that are known before it is trained, such as its size.

        They are recorded with the trial. Raises `TrialStopped` when one breaks a constraint, so that nothing
        more is spent; not in a final evaluation, whose result tells.
        """

    def kept_by(self, candidate: Candidate) -> AbstractContextManager[Path]:
        """The folder `KEPT` that a candidate has left, inside a `with` block.

        Raises `RunError` on entry when it is not there, or its storage stays away.
        """

    def refitted(self) -> AbstractContextManager[Path]:
        """The folder `model` that `refits` describes, of the model that was tested, inside a `with` block.

        Raises `RunError` on entry when it is not there, or its storage stays away.
        """

    def artifact(self, name: str) -> Path:
        """Path to write the artifact `name` to; it is recorded when the trial ends."""
