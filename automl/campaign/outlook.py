"""What the winner of a search still costs: its retrainings, and their scoring on the test set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from automl.contracts import Direction

if TYPE_CHECKING:
    from automl.campaign.search import Search

OF_A_FOLD: Final = 1.5  # a retraining fits the rows that a fold holds out too; cost may grow faster
READING: Final = 0.5  # of a worker's start: the data are read once more for the test
SCORED: Final = 0.3  # of a retraining: its model, which was kept, predicts the test rows
REFITS: Final = 1.3  # times what a retraining has cost, by rows: cost may grow faster
STARTS: Final = 1.5  # times the longest start of a worker so far: machines are busy at times


class Outlook(NamedTuple):
    """Wall seconds that the winner of one search is expected to need still.

    `again`: evaluations that select it; `fit`: one retraining; `missing`: how many are; `score`: the test.
    `start`: of a worker, since the one at hand is ended with a trial that goes on too long. `refit`: the fit
    of its model on all rows, should it be the one that predicts.
    """

    again: float = 0.0
    fit: float = 0.0
    missing: int = 0
    score: float = 0.0
    start: float = 0.0
    refit: float = 0.0

    @property
    def seconds(self) -> float:
        """All of it but the start and the refit."""
        return self.again + self.fit * self.missing + self.score


NOTHING: Final = Outlook()


def ending(outlooks: Sequence[Outlook], at_once: int, reading: float) -> float:
    """Wall seconds that winners need, the best one first.

    So many retrainings run side by side, then one test after another; the best is fitted on all rows at last.
    `reading`: seconds that the data take to be read for a test.
    """
    fits = [one.seconds - one.score for one in outlooks]
    tests = sum(one.score + reading for one in outlooks)
    return max(max(fits), sum(fits) / at_once) + tests + REFITS * outlooks[0].refit


def by_merit(searches: Iterable[Search]) -> list[Search]:
    """Searches with a value, the best first, then the others."""
    found = list(searches)
    if not found:
        return found
    sign = -1 if found[0].settings.metrics[0].direction is Direction.MAXIMIZE else 1
    return sorted(found, key=lambda one: (one.best is None, sign * one.best.value if one.best else 0.0))


def usual_trial(searches: Iterable[Search]) -> float:
    """Wall seconds that a trial of the quickest search has taken on average; 0 before one has ended."""
    ended = [one for one in searches if one.best is not None and one.counts.ended]
    return min((one.counts.spent / one.counts.ended / one.settings.devices for one in ended), default=0.0)
