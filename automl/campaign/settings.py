"""A search's immutable settings, and the jobs that are made of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automl.contracts import Config, Job, Metric, PluginSpec


@dataclass(frozen=True)
class Attempt:
    """What differs between the jobs of one search: who asks, for which configuration, with which seed."""

    trial: str
    token: str
    number: int
    config: Config
    seed: int
    workdir: str


@dataclass(frozen=True)
class SearchSettings:
    """A search's immutable settings, in plain data.

    `fixed` is the one configuration of an arm without a strategy. `protocol` is the evaluator that
    retrains a genotype, `final_deadline` its deadline. Costs are device-seconds, deadlines wall seconds.
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
    trials: int | None = None
    fixed: Config | None = None

    @property
    def devices(self) -> float:
        """What a wall second costs: GPUs held, else CPUs held."""
        return self.gpus or self.cpus

    def job(self, attempt: Attempt, remaining: float | None) -> Job:
        """The job of an attempt by the arm's own evaluator; `remaining` device-seconds, None for any."""
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
            devices=self.devices,
            cpus=self.cpus,
            gpus=self.gpus,
            remaining=remaining,
            deadline=self.deadline,
            import_path=self.import_path,
        )
