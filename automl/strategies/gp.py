"""Gaussian-process Bayesian optimisation by expected improvement; for few, costly trials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from optuna.samplers import BaseSampler, GPSampler
from pydantic import Field

from automl.contracts import Metric, Options, Strategy
from automl.space import Space


class GPOptions(Options):
    """How the process is fitted.

    `startup`: random trials before the first fit; `deterministic`: the same configuration always
    gets the same value, so no noise is fitted.
    """

    startup: int = Field(default=10, ge=1, le=100_000)
    deterministic: bool = False


class GP(Strategy):
    """A Matérn-5/2 process with automatic relevance; (hypervolume) log expected improvement.

    Running trials count as pending. Parameters with conditions are drawn at random.
    """

    Options = GPOptions
    example_options: ClassVar[Mapping[str, Any]] = {"startup": 6}
    remembers = "history"
    constrained = True
    compares_reports = False

    options: GPOptions

    def sampler(self, space: Space, metrics: list[Metric], seed: int, search_seed: int) -> BaseSampler:
        """A sampler for one trial."""
        return GPSampler(
            seed=seed,
            n_startup_trials=self.options.startup,
            deterministic_objective=self.options.deterministic,
            warn_independent_sampling=False,
        )


PLUGIN = GP
