"""The threshold from which on the second of two classes is predicted, where a retraining has chosen one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final

from automl.contracts import THRESHOLD, THRESHOLD_PLAIN, THRESHOLD_VALUE, TrialState

if TYPE_CHECKING:
    from automl.ledger.rows import TrialRow
    from automl.report.arms import ArmReport

TITLE: Final = "Thresholds:"
ABOUT: Final = "Fresh and test values of these searches are by the thresholds, a value on validation is not."


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


def lines(arms: Iterable[ArmReport], metric: str) -> Iterator[str]:
    """A line for each search whose winner decides by a threshold; an ensemble's own words have it."""
    for arm in arms:
        for search in arm.searches:
            if search.deciding is not None and search.combined is None:
                yield f"{arm.name}, seed {search.seed}: {search.deciding.told(metric)}"


def section(arms: Iterable[ArmReport], metric: str) -> str:
    """The same for a page; empty without any."""
    found = "".join(f"<li>{escape(line)}</li>" for line in lines(arms, metric))
    return f'<h2>Thresholds</h2><ul>{found}</ul><p class="soft">{ABOUT}</p>' if found else ""
