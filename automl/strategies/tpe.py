"""Tree-structured Parzen estimator: samples where good trials are denser than bad ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from optuna.samplers import BaseSampler, TPESampler
from pydantic import Field

from automl.contracts import Metric, Options, Strategy
from automl.space import Space
from automl.strategies.observations import Observations
from automl.strategies.parzen import FlatTPE


class TPEOptions(Options):
    """How the densities are estimated.

    `startup`: random trials before the first estimate; `candidates`: draws among which the best
    is proposed; `multivariate`: one joint density of all parameters (by default with one metric);
    `constant_liar`: keep away from configurations that are still running; `kernels`: with one metric, the
    density of the bad trials is made of so many at most, the younger half and a sample of the older ones, so
    that the cost of a proposal stays the same; null for all, whose cost grows with every trial.
    """

    startup: int = Field(default=10, ge=0, le=100_000)
    candidates: int = Field(default=24, ge=1, le=10_000)
    multivariate: bool | None = None
    constant_liar: bool = True
    kernels: int | None = Field(default=500, ge=100, le=1_000_000)


class TPE(Strategy):
    """TPE (Bergstra et al., NeurIPS 2011), joint and grouped by conditions (Falkner et al., ICML 2018)."""

    Options = TPEOptions
    example_options: ClassVar[Mapping[str, Any]] = {"startup": 4}
    remembers = "history"
    constrained = True
    compares_reports = False

    options: TPEOptions

    def __init__(self, options: TPEOptions) -> None:
        super().__init__(options)
        self._seen = Observations()

    def sampler(self, space: Space, metrics: list[Metric], seed: int, search_seed: int) -> BaseSampler:
        """A sampler for one trial."""
        options = self.options
        joint = len(metrics) == 1 if options.multivariate is None else options.multivariate
        settings: dict[str, Any] = {
            "seed": seed,
            "n_startup_trials": options.startup,
            "n_ei_candidates": options.candidates,
            "multivariate": joint,
            "group": joint and any(parameter.when for parameter in space.parameters.values()),
            "constant_liar": options.constant_liar,
        }
        if len(metrics) > 1:
            return TPESampler(**settings)
        return FlatTPE(self._seen, options.kernels, **settings)


PLUGIN = TPE
