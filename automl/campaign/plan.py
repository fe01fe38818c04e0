"""What a search is told, and what it counts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automl.contracts import Config, Metric, PluginSpec, TrialState


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


@dataclass
class Counts:
    """The trials of a search that have ended, and what they cost in device-seconds."""

    complete: int = 0
    pruned: int = 0
    failed: int = 0
    failed_in_a_row: int = 0
    spent: float = 0.0  # device-seconds of all attempts that ended
    cheapest: float | None = None  # device-seconds of the cheapest complete trial

    @property
    def ended(self) -> int:
        """Trials in a final state."""
        return self.complete + self.pruned + self.failed

    def add(self, state: TrialState, device_seconds: float) -> None:
        """Count a trial that ended; `device_seconds` of all its attempts."""
        if state is TrialState.COMPLETE:
            self.complete += 1
            self.cheapest = min(device_seconds, self.cheapest or device_seconds)
        elif state is TrialState.PRUNED:
            self.pruned += 1
        else:
            self.failed += 1
        self.failed_in_a_row = self.failed_in_a_row + 1 if state is TrialState.FAILED else 0
