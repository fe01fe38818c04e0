"""No pruning: every trial runs to its end."""

from __future__ import annotations

from optuna.pruners import BasePruner, NopPruner

from automl.contracts import Metric, Options


class NoPruningOptions(Options):
    """No pruning has no options."""


class NoPruning:
    """Lets every trial run to its end."""

    Options = NoPruningOptions

    def __init__(self, options: NoPruningOptions) -> None:
        self.options = options

    def pruner(self, metric: Metric) -> BasePruner:
        """The pruner of a search."""
        return NopPruner()


PLUGIN = NoPruning
