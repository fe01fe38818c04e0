"""A search's immutable settings, and the one place where jobs are made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.config import Retry
from automl.contracts import Config, Held, Job, Metric, PluginSpec, Replay
from automl.data.tasks import OPENING
from automl.data.tasks import REFIT as ALL_ROWS
from automl.ledger import TrialRow

if TYPE_CHECKING:
    from automl.campaign.refitting import Tested


@dataclass(frozen=True)
class Attempt:
    """What differs between the jobs of one search: who asks, for which configuration, with which seed.

    `alone`: on its GPU, since an earlier attempt ran out of its part of the memory.
    """

    trial: str
    token: str
    number: int
    config: Config
    seed: int
    workdir: str
    storage: str | None = None
    alone: bool = False

    @classmethod
    def of(cls, row: TrialRow, *, alone: bool) -> Attempt:
        """The open attempt of a trial."""
        return cls(
            row.id, row.token, row.attempt, row.config, row.seed, row.workdir or "", row.storage, alone
        )


@dataclass(frozen=True)
class SearchSettings:
    """A search's immutable settings, in plain data.

    `fixed` is the one configuration of an arm without a strategy. `protocol` is the evaluator that
    retrains a genotype, `final_deadline` its deadline. Costs are device-seconds, deadlines wall seconds.
    `learns`: whether its strategy does. `simulated`, `returns_early`, `cross_validates`, `least` (the cost of
    its cheapest trial), `combined` (how many of its best trials a retraining may combine): what the arm's
    evaluator says of itself. `top`: of so many best configurations the winner is selected. `share`: the part
    of the budget that a trial without a value may use. `reopens`: though it has ended, it goes on when it is
    given more than it has used. `transfer`: the tasks of other datasets, in plain data, by name. `storage`:
    the URL below which trials leave their files; None: in `workdir`. `refit`: how many times as many rows as
    for training the model that predicts is fitted on at last; 0: it is not. `constraints`: as a job has them.
    """

    metrics: list[Metric]
    space: dict[str, Any]
    task: dict[str, Any]
    evaluator: PluginSpec
    protocol: PluginSpec
    finals: int
    workdir: Path
    import_path: list[str]
    cpus: float
    gpus: float
    deadline: float
    final_deadline: float
    budget: float | None = None
    wall_seconds: float | None = None
    trials: int | None = None
    least: float | None = None
    share: float = 1.0
    memory: int | None = None
    ranks: int = 1
    retry: Retry = field(default_factory=lambda: Retry(lost=1))
    fixed: Config | None = None
    learns: bool = True
    simulated: bool = False
    returns_early: bool = False
    cross_validates: bool = False
    combined: int = 0
    reopens: bool = False
    top: int = 1
    transfer: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    storage: str | None = None
    refit: float = 0.0
    constraints: dict[str, Any] = field(default_factory=dict)

    @property
    def held(self) -> Held:
        """What each trial holds."""
        return Held(self.cpus, self.gpus, self.ranks)

    @property
    def devices(self) -> float:
        """What a wall second costs: GPUs held, else CPUs held."""
        return self.held.devices

    @property
    def shares_gpu(self) -> bool:
        """Whether a trial holds a fraction of a GPU."""
        return 0 < self.gpus < 1

    def final_evaluator(self, *, derived: bool) -> PluginSpec:
        """What retrains the winner: a configuration that a one-shot search derived, by the protocol."""
        return self.protocol if derived else self.evaluator

    def trial_job(self, attempt: Attempt, remaining: float | None, named: PluginSpec | None = None) -> Job:
        """The job of a trial; `remaining` device-seconds, None for any.

        `named`: the evaluator that its proposal names. The arm's own is then its protocol.
        """
        job = self._job(attempt, remaining)
        return job if named is None else replace(job, evaluator=named, protocol=self.evaluator)

    def final_job(self, attempt: Attempt, *, derived: bool, dataset: str | None = None) -> Job:
        """The job of a fresh-seed retraining of the winner, or of a training on another `dataset`."""
        deadline = self.final_deadline if derived else self.deadline
        evaluator = self.final_evaluator(derived=derived)
        job, task = self._job(attempt, None), self.task_of(dataset)
        return replace(job, task=task, evaluator=evaluator, deadline=deadline, final=True)

    def refit_job(self, attempt: Attempt, tested: Tested) -> Job:
        """The job that fits what a retraining has described on all rows, after the test."""
        task = {**self.task, ALL_ROWS: {OPENING: tested.opening}}
        job = self.final_job(attempt, derived=False)
        return replace(job, task=task, refits=dict(tested.description), tested=tested.left)

    def again_job(self, attempt: Attempt, *, derived: bool) -> Job:
        """The job of one more evaluation of one of the best configurations, with a fresh seed.

        It is a trial like those of the search, whose model nobody needs; of a table it is a fresh value.
        """
        return replace(self.final_job(attempt, derived=derived), final=self.simulated)

    def task_of(self, dataset: str | None) -> dict[str, Any]:
        """The task in plain data: the study's, or that of another dataset."""
        return self.task if dataset is None else dict(self.transfer[dataset])

    def replay_job(self, attempt: Attempt, replay: Replay) -> Job:
        """The job of a whole search on a simulated clock."""
        return replace(self._job(attempt, self.budget), replay=replay)

    def _job(self, attempt: Attempt, remaining: float | None) -> Job:
        return Job(
            trial=attempt.trial,
            token=attempt.token,
            attempt=attempt.number,
            space=self.space,
            task=self.task,
            metrics=[{"name": m.name, "direction": str(m.direction)} for m in self.metrics],
            evaluator=self.evaluator,
            protocol=self.protocol,
            config=attempt.config,
            seed=attempt.seed,
            workdir=attempt.workdir,
            devices=max(self.devices, 1.0) if attempt.alone else self.devices,  # others wait for it
            alone=attempt.alone,
            cpus=self.cpus,
            gpus=self.gpus,
            ranks=self.ranks,
            remaining=remaining,
            deadline=self.deadline,
            import_path=self.import_path,
            memory=self.memory,
            storage=attempt.storage,
            constraints=self.constraints,
        )
