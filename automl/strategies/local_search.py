"""Local search: evaluates the neighbours of the best configuration, and restarts where none is better."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Literal

from optuna.samplers import BaseSampler

from automl.contracts import Config, Metric, Options, Strategy, derive_seed
from automl.space import Space
from automl.strategies.history import Entry, History, Proposal, WholeSampler, best, dominates

CENTRE = "local_search:centre"  # trial attribute: number of the trial around which the search was
START = "local_search:start"  # trial attribute: whether it is a random configuration to start from
TRIES = 100  # random configurations among which a start that is new is looked for


class LocalSearchOptions(Options):
    """When to move: to the `best` neighbour when all are known, or to the `first` one that is better."""

    improvement: Literal["best", "first"] = "best"


Neighbours = list[tuple[str, Config]]  # digest and configuration


class LocalSampler(WholeSampler):
    """The proposal of one trial; where the search is, is in the attributes of the trial before.

    `near` keeps the neighbours of the present centre between trials, `used` the centres that were left.
    """

    def __init__(
        self, space: Space, options: LocalSearchOptions, seeds: tuple[int, int], near: dict[int, Neighbours]
    ) -> None:
        self.space, self.options, self.near = space, options, near
        self.seed, self.search_seed = seeds

    def propose(self, number: int, history: History) -> Proposal:
        """The next neighbour that is new; a random start while there is nothing better to do."""
        last = next(reversed(history.trials.values()), None)
        centre = None if last is None else history.trials.get(last.attributes.get(CENTRE, -1))
        left: set[int] = set()
        while True:
            if centre is None:
                centre = self._start(history, left)
                if centre is None:
                    return self._random(history, {START: True})
                left.add(centre.number)
            around = {CENTRE: centre.number}
            near = self._neighbours(centre)
            better = self._better(centre, near, history)
            new = next((config for digest, config in near if not history.evaluated(digest)), None)
            if new is not None and not (better and self.options.improvement == "first"):
                return Proposal(new, around)
            if better:
                centre = better[0]
            elif any(e.state == "running" for digest, _ in near for e in history.evaluated(digest)):
                return self._random(history, {START: True, **around})
            else:
                centre = None

    def _neighbours(self, centre: Entry) -> Neighbours:
        """The neighbours in an order shuffled by the search's seed, each digest once."""
        if centre.number not in self.near:
            neighbours = self.space.neighbours(centre.config)
            by_digest = {self.space.digest(config): config for config in neighbours}
            by_digest.pop(self.space.digest(centre.config), None)
            shuffled = list(by_digest.items())
            random.Random(derive_seed(self.search_seed, "neighbours", centre.number)).shuffle(shuffled)
            self.near.clear()
            self.near[centre.number] = shuffled
        return self.near[centre.number]

    def _better(self, centre: Entry, near: Neighbours, history: History) -> list[Entry]:
        """The best of the complete neighbours that are better than `centre`, the one asked first in front."""
        known = [entry for digest, _ in near for entry in history.alike(digest) if entry.losses]
        better = best([entry for entry in known if dominates(entry.losses, centre.losses)])
        return sorted(better, key=lambda entry: entry.number)

    def _start(self, history: History, left: set[int]) -> Entry | None:
        """The best complete trial that is no neighbour and around which the search has not been."""
        been = left | set(_centres(history))
        starts = [e for e in history.complete if _is_start(e) and e.number not in been]
        return min(best(starts), key=lambda entry: entry.number, default=None)

    def _random(self, history: History, attributes: dict[str, int | bool]) -> Proposal:
        rng = random.Random(self.seed)
        for _ in range(TRIES):
            config = self.space.sample(rng)
            if not history.evaluated(self.space.digest(config)):
                break
        return Proposal(config, dict(attributes))


def _centres(history: History) -> Iterator[int]:
    return (e.attributes[CENTRE] for e in history.trials.values() if CENTRE in e.attributes)


def _is_start(entry: Entry) -> bool:
    """Random, or another strategy's; a neighbour belongs to the climb that evaluated it."""
    return START in entry.attributes or CENTRE not in entry.attributes


class LocalSearch(Strategy):
    """Hill climbing with restarts (White et al., UAI 2021): a strong baseline where little noise is left.

    A restart is a random configuration that is new; so is the proposal for a worker while the last
    neighbours are still running. With several metrics a neighbour is better when it dominates.
    """

    Options = LocalSearchOptions
    compares_reports = False

    options: LocalSearchOptions

    def __init__(self, options: LocalSearchOptions) -> None:
        super().__init__(options)
        self._near: dict[int, Neighbours] = {}

    def sampler(self, space: Space, metrics: list[Metric], seed: int, search_seed: int) -> BaseSampler:
        """A sampler for one trial."""
        return LocalSampler(space, self.options, (seed, search_seed), self._near)


PLUGIN = LocalSearch
