"""What a search is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automl.contracts import Config, Metric, PluginSpec


@dataclass(frozen=True)
class Plan:
    """What a search is told by its study, in plain data.

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
