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
TRIED: Final = 0.5  # of that must be left: nothing follows, so that one that is ended costs its time alone
COMBINED: Final = 7  # trials whose configurations a retraining is expected to fit beside the winner's
OF_THE_WALL: Final = 0.15  # of a campaign's wall seconds that are kept for these, of each search, at most
WORTH_A_TRY: Final = 0.3  # of a usual trial's time, where one that is ended costs nothing but itself
STARTS: Final = 1.5  # times the longest start of a worker so far: machines are busy at times


class Outlook(NamedTuple):
    """Wall seconds that the winner of one search is expected to need still.

    `again`: evaluations that select it; `fit`: one retraining; `missing`: how many are; `score`: the test.
    `start`: of a worker, since the one at hand is ended with a trial that goes on too long. `members`: fits
    of other trials in the missing retrainings, which do with less time than that. `refit`: how many times as
    many rows its model is fitted on at last, should it be the one that predicts; 0: it is not.
    """

    again: float = 0.0
    fit: float = 0.0
    missing: int = 0
    score: float = 0.0
    start: float = 0.0
    members: float = 0.0
    refit: float = 0.0

    @property
    def seconds(self) -> float:
        """All of it but the start, the members and the refit."""
        return self.again + self.fit * self.missing + self.score

    def within(self, wall: float) -> float:
        """All of it but the start, of a campaign that has so many wall seconds."""
        return self.seconds + self._members(wall)

    def refitted(self, wall: float) -> float:
        """Its fit on all rows, in the same way."""
        return REFITS * self.refit * (self.fit + self._members(wall))

    def _members(self, wall: float) -> float:
        """What is kept for members: with their fit on all rows a part of the campaign's time."""
        return min(self.members, OF_THE_WALL * wall / (1.0 + REFITS * self.refit))


NOTHING: Final = Outlook()


def ending(outlooks: Sequence[Outlook], at_once: int, reading: float, wall: float) -> float:
    """Wall seconds that winners need, the best one first, of a campaign that has so many.

    So many retrainings run side by side, then one test after another; the best is fitted on all rows at last.
    `reading`: seconds that the data take to be read for a test.
    """
    fits = [one.within(wall) - one.score for one in outlooks]
    tests = sum(one.score + reading for one in outlooks)
    return max(max(fits), sum(fits) / at_once) + tests + outlooks[0].refitted(wall)


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


def least_left(searches: Iterable[Search], restart: float | None) -> float:
    """Wall seconds that must be left for one more trial; fewer where a worker waits (`restart`: 0)."""
    return usual_trial(searches) * (WORTH_A_TRY if restart == 0.0 else 1.0)
