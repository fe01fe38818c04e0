"""Regularised (ageing) evolution: mutates the best of a random sample of the youngest trials."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, ClassVar

from optuna.samplers import BaseSampler
from pydantic import Field

from automl.contracts import Config, Metric, Options, Strategy, UserError
from automl.space import Space
from automl.strategies.history import History, Proposal, WholeSampler, best


class EvolutionOptions(Options):
    """How large the population is, and how many of it compete to be a parent.

    The defaults are those of Dong & Yang (ICLR 2020), for budgets of about a hundred trials; Real et al. use
    100 and 25 for 20,000. A study of fewer trials than `population` is a random search.
    """

    population: int = Field(default=10, ge=1, le=100_000)
    sample: int = Field(default=3, ge=1, le=100_000)


class EvolutionSampler(WholeSampler):
    """The proposal of one trial. The population is the last `population` complete trials.

    It is filled with random configurations. Failed trials leave no trace; a pruned one counts
    towards the filling, but is no parent.
    """

    def __init__(self, space: Space, options: EvolutionOptions, seed: int) -> None:
        self.space, self.options, self.seed = space, options, seed

    def propose(self, number: int, history: History) -> Proposal:
        """A mutation of the best of `sample` draws, with replacement, from the living."""
        rng = random.Random(self.seed)
        living = history.complete[-self.options.population :]
        if not living or history.finished < self.options.population:
            return Proposal(self.space.sample(rng))
        parents = best(rng.choices(living, k=self.options.sample))
        return Proposal(self._mutation(rng.choice(parents).config, rng))

    def _mutation(self, parent: Config, rng: random.Random) -> Config:
        try:
            return self.space.mutate(parent, rng)
        except UserError:  # nothing is within reach of this one
            return self.space.sample(rng)


class RegularizedEvolution(Strategy):
    """Regularised evolution (Real et al., AAAI 2019), asynchronous: a complete trial replaces the oldest.

    With several metrics the parent is drawn from those of the sample that no other dominates.
    """

    Options = EvolutionOptions
    example_options: ClassVar[Mapping[str, Any]] = {"population": 4, "sample": 2}
    compares_reports = False

    options: EvolutionOptions

    def sampler(self, space: Space, metrics: list[Metric], seed: int, search_seed: int) -> BaseSampler:
        """A sampler for one trial."""
        return EvolutionSampler(space, self.options, seed)


PLUGIN = RegularizedEvolution
