"""Asynchronous successive halving: at each rung of steps only the best part of the trials continues."""

from __future__ import annotations

from optuna.pruners import BasePruner
from pydantic import Field

from automl.contracts import Metric, Options, Pruner
from automl.strategies.pruners.rungs import RungPruner, rungs_up_to


class ASHAOptions(Options):
    """Where the rungs are, and how many pass.

    Rung r = 0, 1, … is at step `min_resource` · `reduction`^(`min_early_stopping` + r); the best
    1/`reduction` of the trials pass it.
    """

    reduction: int = Field(default=3, ge=2, le=1000)
    min_resource: int = Field(default=1, ge=1, le=1_000_000)
    min_early_stopping: int = Field(default=0, ge=0, le=20)


class ASHA(Pruner):
    """ASHA, the variant that stops trials (Li et al., MLSys 2020)."""

    Options = ASHAOptions

    options: ASHAOptions

    def pruner(self, metric: Metric) -> BasePruner:
        """The pruner of a search."""
        return RungPruner(self._first, self.options.reduction)

    def rungs(self, steps: int) -> list[int]:
        """The rungs of a trial of so many `steps`."""
        return rungs_up_to(self._first, self.options.reduction, steps)

    @property
    def _first(self) -> int:
        options = self.options
        return int(options.min_resource * options.reduction**options.min_early_stopping)


PLUGIN = ASHA
