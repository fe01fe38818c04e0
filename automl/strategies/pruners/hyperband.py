"""Hyperband: several successive halvings side by side, from aggressive to cautious."""

from __future__ import annotations

import math
from typing import Any, Literal

from optuna.pruners import BasePruner, HyperbandPruner
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from pydantic import Field, model_validator

from automl.contracts import Metric, Options, Pruner
from automl.strategies.base import TOLD
from automl.strategies.pruners.rungs import RungPruner, rungs_up_to


class HyperbandOptions(Options):
    """The range of steps that the brackets cover.

    `max_resource: auto` is the last step of the first trial that completes; until then nothing
    is pruned. The best 1/`reduction` of a bracket's trials pass each of its rungs.
    """

    reduction: int = Field(default=3, ge=2, le=1000)
    min_resource: int = Field(default=1, ge=1, le=1_000_000)
    max_resource: int | Literal["auto"] = Field(default="auto")

    @model_validator(mode="after")
    def _check_range(self) -> HyperbandOptions:
        if self.max_resource != "auto" and self.max_resource < self.min_resource:
            raise ValueError("min_resource <= max_resource must hold")
        return self


class BracketPruner(HyperbandPruner):
    """Optuna's pruner with brackets that depend only on the order in which trials ended."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._brackets: dict[int, int] = {}  # of trials by number, once their range is known

    def _try_initialization(self, study: Study) -> None:
        if self._max_resource == "auto":
            complete = study._storage.get_all_trials(
                study._study_id, deepcopy=False, states=(TrialState.COMPLETE,)
            )
            reported = [trial for trial in complete if trial.intermediate_values]
            if not reported:
                return
            first = min(reported, key=lambda trial: trial.system_attrs.get(TOLD, 0))
            self._max_resource = max(*first.intermediate_values, self._min_resource)
        ratio = math.log(int(self._max_resource) / self._min_resource, self._reduction_factor)
        self._n_brackets = math.floor(ratio + 1e-9) + 1
        for bracket in range(self._n_brackets):
            self._trial_allocation_budgets.append(self._calculate_trial_allocation_budget(bracket))
            first_rung = self._min_resource * self._reduction_factor**bracket
            self._pruners.append(RungPruner(first_rung, self._reduction_factor))  # type: ignore[arg-type]
        self._total_trial_allocation_budget = sum(self._trial_allocation_budgets)

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether `trial` must end at its last step, by the rungs of its bracket and the trials in it."""
        bracket = self._get_bracket_id(study, trial)
        if not self._pruners:
            return False
        pruner: Any = self._pruners[bracket]
        ends: bool = pruner.ends(study, trial, lambda other: self._get_bracket_id(study, other) == bracket)
        return ends

    def _get_bracket_id(self, study: Study, trial: FrozenTrial) -> int:
        if not self._pruners:
            self._try_initialization(study)
        if not self._pruners:
            return 0
        if trial.number not in self._brackets:
            self._brackets[trial.number] = super()._get_bracket_id(study, trial)
        return self._brackets[trial.number]


class Hyperband(Pruner):
    """Hyperband (Li et al., JMLR 2018) with asynchronous brackets; a trial's number chooses its bracket."""

    Options = HyperbandOptions

    options: HyperbandOptions

    def pruner(self, metric: Metric) -> BasePruner:
        """The pruner of a search."""
        return BracketPruner(
            min_resource=self.options.min_resource,
            max_resource=self.options.max_resource,
            reduction_factor=self.options.reduction,
        )

    def rungs(self, steps: int) -> list[int]:
        """The rungs of all brackets for a trial of so many `steps`."""
        return rungs_up_to(self.options.min_resource, self.options.reduction, steps)


PLUGIN = Hyperband
