"""Random search: every configuration is drawn independently and uniformly; the baseline of every study."""

from __future__ import annotations

from optuna.samplers import BaseSampler, RandomSampler

from automl.contracts import Metric, Options
from automl.space import Space


class RandomOptions(Options):
    """Random search has no options."""


class Random:
    """Uniform sampling, of the logarithm for `log` parameters (Bergstra and Bengio, JMLR 2012)."""

    Options = RandomOptions

    def __init__(self, options: RandomOptions) -> None:
        self.options = options

    def sampler(self, space: Space, metrics: list[Metric], seed: int, search_seed: int) -> BaseSampler:
        """A sampler for one trial."""
        return RandomSampler(seed=seed)


PLUGIN = Random
