"""Median rule: ends a trial whose best value so far is worse than the median at the same step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from optuna.pruners import BasePruner, PercentilePruner
from pydantic import Field

from automl.contracts import Metric, Options, Pruner


class MedianOptions(Options):
    """When the rule applies.

    `percentile`: the part, in percent, of complete trials that a trial must be among; `startup`:
    complete trials before anything is pruned; `warmup`: steps of a trial before it may be pruned;
    `interval`: steps between two decisions.
    """

    percentile: float = Field(default=50.0, ge=0, le=100)
    startup: int = Field(default=5, ge=1, le=100_000)
    warmup: int = Field(default=0, ge=0, le=1_000_000)
    interval: int = Field(default=1, ge=1, le=1_000_000)


class Median(Pruner):
    """The median stopping rule of Google Vizier (Golovin et al., KDD 2017)."""

    Options = MedianOptions
    example_options: ClassVar[Mapping[str, Any]] = {"startup": 2}

    options: MedianOptions

    def pruner(self, metric: Metric) -> BasePruner:
        """The pruner of a search."""
        return PercentilePruner(
            self.options.percentile,
            n_startup_trials=self.options.startup,
            n_warmup_steps=self.options.warmup,
            interval_steps=self.options.interval,
        )


PLUGIN = Median
