"""No pruning: every trial runs to its end."""

from __future__ import annotations

from typing import ClassVar

from optuna.pruners import BasePruner, NopPruner

from automl.contracts import Metric, Options, Pruner


class NoPruningOptions(Options):
    """No pruning has no options."""


class NoPruning(Pruner):
    """Lets every trial run to its end."""

    Options = NoPruningOptions
    prunes: ClassVar[bool] = False

    options: NoPruningOptions

    def pruner(self, metric: Metric) -> BasePruner:
        """The pruner of a search."""
        return NopPruner()


PLUGIN = NoPruning
