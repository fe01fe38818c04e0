"""Successive halving as a function of the reports alone; shared by `asha` and `hyperband`."""

from __future__ import annotations

from optuna.pruners import BasePruner
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial


def value_at(trial: FrozenTrial, step: float) -> float | None:
    """The trial's value at its first step at or after `step`; None when it has not got there."""
    for reported, value in sorted(trial.intermediate_values.items()):
        if reported >= step:
            return value
    return None


def rungs_up_to(first: int, reduction: int, steps: int) -> list[int]:
    """The rungs `first` · `reduction`^r for r = 0, 1, … that are at most `steps`."""
    rungs = []
    while first <= steps:
        rungs.append(first)
        first *= reduction
    return rungs


class RungPruner(BasePruner):
    """Ends a trial that arrives at a rung and is not in its best 1/`reduction`.

    Rung r is at step `resource` · `reduction`^r. A trial competes with the value it had when it
    arrived there, against all trials that did so before. (Optuna's pruner writes these values into
    the trials' attributes, which a trial that is still running would lose with its driver.)
    """

    def __init__(self, resource: int, reduction: int) -> None:
        self.resource = resource
        self.reduction = reduction

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether `trial` must end at its last step."""
        last = trial.last_step
        if last is None or last < self.resource:
            return False
        before = max((step for step in trial.intermediate_values if step != last), default=-1)
        sign = 1.0 if study.direction == StudyDirection.MINIMIZE else -1.0
        value = sign * trial.intermediate_values[last]
        trials = study.get_trials(deepcopy=False)
        for rung in self._rungs(before, last):
            others = [value_at(other, rung) for other in trials if other.number != trial.number]
            known = sorted(sign * other for other in others if other is not None)
            kept = max((len(known) + 1) // self.reduction, 1)
            if len(known) >= kept and value > known[kept - 1]:
                return True
        return False

    def _rungs(self, before: int, last: int) -> list[int]:
        """Steps of the rungs in (before, last]."""
        return [rung for rung in rungs_up_to(self.resource, self.reduction, last) if rung > before]
