"""The threshold from which on the second of two classes is predicted, where a retraining has chosen one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl.contracts import THRESHOLD, THRESHOLD_PLAIN, THRESHOLD_VALUE, TrialState

if TYPE_CHECKING:
    from automl.ledger.rows import TrialRow


@dataclass(frozen=True)
class Deciding:
    """`threshold`: of the probability. `value`, `plain`: of the metric on rows that have not chosen it.

    The one by the threshold, and the one where the larger probability decides.
    """

    threshold: float
    value: float
    plain: float

    def told(self, metric: str) -> str:
        """It in words."""
        return (
            f"the second class is predicted from a probability of {self.threshold:.3g} on: {metric} "
            f"{self.value:.6g} on folds that have not chosen it, {self.plain:.6g} without it"
        )


def deciding(finals: Sequence[TrialRow]) -> Deciding | None:
    """By which threshold the first complete retraining decides; None where the larger probability does."""
    for row in finals:
        known = row.metrics or {}
        if row.state is TrialState.COMPLETE:
            names = (THRESHOLD, THRESHOLD_VALUE, THRESHOLD_PLAIN)
            return Deciding(*(known[name] for name in names)) if THRESHOLD in known else None
    return None
