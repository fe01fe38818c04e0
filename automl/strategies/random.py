"""Random search: every configuration is drawn independently and uniformly; the baseline of every study."""

from __future__ import annotations

import random

from optuna.samplers import BaseSampler

from automl.contracts import Metric, Options, Strategy
from automl.space import Space
from automl.strategies.history import History, Proposal, WholeSampler


class RandomOptions(Options):
    """Random search has no options."""


class UniformSampler(WholeSampler):
    """A uniform draw from the space, whatever came before; constraints by rejection."""

    def __init__(self, space: Space, seed: int) -> None:
        self.space, self.seed = space, seed

    def propose(self, number: int, history: History) -> Proposal:
        """The draw of this sampler's seed."""
        return Proposal(self.space.sample(random.Random(self.seed)))


class Random(Strategy):
    """Uniform sampling, of the logarithm for `log` parameters (Bergstra and Bengio, JMLR 2012)."""

    Options = RandomOptions
    remembers = "nothing"
    learns = False
    compares_reports = False

    options: RandomOptions

    def sampler(self, space: Space, metrics: list[Metric], seed: int, search_seed: int) -> BaseSampler:
        """A sampler for one trial."""
        return UniformSampler(space, seed)

    def default_trial(self) -> int | None:
        """None: nothing but independent draws."""
        return None


PLUGIN = Random
