"""Quasi-random search: trial n gets point n of a sequence that fills the space evenly."""

from __future__ import annotations

from typing import Any, Literal

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, QMCSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from automl.contracts import Metric, Options, Strategy, derive_seed
from automl.space import Space
from automl.strategies.base import common_distributions


class QuasiRandomOptions(Options):
    """Which sequence: `sequence` by name, `scramble` randomises it by the search's seed."""

    sequence: Literal["sobol", "halton"] = "sobol"
    scramble: bool = True


class SequenceSampler(QMCSampler):
    """Optuna's sampler with the point's place given by the trial's number, not by a stored counter."""

    def __init__(self, common: dict[str, BaseDistribution], **options: Any) -> None:
        super().__init__(warn_independent_sampling=False, **options)
        self._common = common
        self._number = 0

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Note the trial's number."""
        self._number = trial.number
        super().before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The parameters of the sequence: those of every configuration."""
        return self._common

    def _find_sample_id(self, study: Study, search_space: dict[str, BaseDistribution]) -> int:
        return self._number


class QuasiRandom(Strategy):
    """Scrambled Sobol or Halton points; parameters with conditions are drawn at random."""

    Options = QuasiRandomOptions
    remembers = "nothing"
    learns = False
    compares_reports = False

    options: QuasiRandomOptions

    def sampler(self, space: Space, metrics: list[Metric], seed: int, search_seed: int) -> BaseSampler:
        """A sampler for one trial."""
        return SequenceSampler(
            common_distributions(space),
            qmc_type=self.options.sequence,
            scramble=self.options.scramble,
            seed=derive_seed(search_seed, "sequence"),
            independent_sampler=RandomSampler(seed=seed),
        )


PLUGIN = QuasiRandom
