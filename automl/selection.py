"""Which of its best configurations a search selects, once they have been evaluated again with fresh seeds.

The best of many noisy values is often a lucky one. Live and replayed searches, the report and MLflow all
decide by these functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Final, Protocol, TypeVar

from automl.contracts import Direction

AGAIN: Final = "again"  # the kind of a trial that evaluates one of the best configurations again
FINAL: Final = "final"  # and of one that retrains the winner
TRANSFER: Final = "transfer"  # and of one that trains the winner on another dataset
REFIT: Final = "refit"  # and of one that fits what predicts once more, on all rows
NOT_AGAIN: Final = "not tried again: "  # begins the reason of a retry that a limit did not let start
AFTER: Final = (AGAIN, FINAL, TRANSFER, REFIT)  # what follows a search, in this order


class Valued(Protocol):
    """A complete trial."""

    @property
    def value(self) -> float:
        """Its value of the primary metric."""

    @property
    def key(self) -> str:
        """The digest of the configuration that it has evaluated."""


T = TypeVar("T", bound=Valued)


def placed(leaders: Sequence[T], one: T, top: int, direction: Direction) -> list[T]:
    """The best `top` trials of distinct configurations, best first, now that `one` has come.

    Of equal ones the earlier is before. `leaders`: the same before it came.
    """
    if len(leaders) >= top and not direction.better(one.value, leaders[-1].value):
        return list(leaders)
    if top == 1:
        return [one]
    same = next((leader for leader in leaders if leader.key == one.key), None)
    if same is not None and not direction.better(one.value, same.value):
        return list(leaders)
    rest = [leader for leader in leaders if leader is not same]
    worse = (i for i, leader in enumerate(rest) if direction.better(one.value, leader.value))
    place = next(worse, len(rest))
    return [*rest[:place], one, *rest[place:]][:top]


def best_of(trials: Iterable[T], top: int, direction: Direction) -> list[T]:
    """The best `top` of all `trials`, in their order of ending; see `placed`."""
    leaders: list[T] = []
    for trial in trials:
        leaders = placed(leaders, trial, top, direction)
    return leaders


def selected(leaders: Sequence[T], again: Mapping[str, Sequence[float]], direction: Direction) -> T:
    """The leader with the best mean over the values that it got `again`, by key; of equal ones the first.

    One without any is not selected, unless none has any: then it is the first.
    """
    known = [(fmean(again[leader.key]), leader) for leader in leaders if again.get(leader.key)]
    if not known:
        return leaders[0]
    best, chosen = known[0]
    for mean, leader in known[1:]:
        if direction.better(mean, best):
            best, chosen = mean, leader
    return chosen


def shares(values: int, seeds: int) -> tuple[int, int]:
    """Of the fresh values that a table has of a configuration: how many select it, how many are reported.

    None does both. The first ones are reported, the last ones select; at most `seeds` each.
    """
    again = min(seeds, values // 2)
    return again, min(seeds, values - again)
