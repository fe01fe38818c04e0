"""Which parameters decided which trials are among the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from automl.contracts import Direction
from automl.report.arms import ArmReport
from automl.report.evaluations import Evaluation


def importances(
    evaluations: Sequence[Evaluation], arms: Mapping[str, ArmReport], direction: Direction
) -> dict[str, float]:
    """Shares of the parameters in reaching the best trials, over arms that search the study's own space."""
    # Optuna takes a while to import
    from automl.strategies.importance import importance

    shared = [trial for trial in evaluations if trial.values and arms[trial.arm].info.shared]
    return importance([(trial.config, trial.values[0]) for trial in shared if trial.values], direction)
