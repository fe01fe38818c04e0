"""Wilcoxon test against the best trial, step by step; for steps that are folds or problem instances."""

from __future__ import annotations

import copy

from optuna.pruners import BasePruner, WilcoxonPruner
from optuna.study import Study
from optuna.trial import FrozenTrial
from pydantic import Field

from automl.contracts import Metric, Options, Pruner


class WilcoxonOptions(Options):
    """When a trial is worse than the best one.

    `p_threshold`: largest p-value that ends a trial (each test is uncorrected for the others);
    `startup`: steps of a trial before the first test.
    """

    p_threshold: float = Field(default=0.1, gt=0, lt=1)
    startup: int = Field(default=2, ge=2, le=1_000_000)


class SharedStepsPruner(WilcoxonPruner):
    """Optuna's pruner on the steps that the best trial has too."""

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether `trial` is significantly worse than the best one."""
        try:
            best = study.best_trial.intermediate_values
        except ValueError:  # no trial is complete
            return False
        shared = {step: value for step, value in trial.intermediate_values.items() if step in best}
        if len(shared) < self._n_startup_steps:
            return False
        paired = copy.copy(trial)
        paired.intermediate_values = shared
        pruned: bool = super().prune(study, paired)
        return pruned


class Wilcoxon(Pruner):
    """The signed-rank test on paired steps (Wilcoxon, Biometrics 1945), as Optuna applies it."""

    Options = WilcoxonOptions

    options: WilcoxonOptions

    def pruner(self, metric: Metric) -> BasePruner:
        """The pruner of a search."""
        return SharedStepsPruner(p_threshold=self.options.p_threshold, n_startup_steps=self.options.startup)


PLUGIN = Wilcoxon
