"""Successive halving as a function of the reports alone; shared by `asha` and `hyperband`."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable

from optuna.pruners import BasePruner
from optuna.storages import BaseStorage
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial

from automl.strategies.observations import get_trial, trials_from


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

    _known: tuple[BaseStorage, int] | None
    _seen: int  # trials of it
    _open: list[int]  # numbers of those of them that had not ended
    _ended: defaultdict[int, list[float]]  # values of the others at each rung, sorted

    def __init__(self, resource: int, reduction: int) -> None:
        self.resource = resource
        self.reduction = reduction
        self._forget(None)

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether `trial` must end at its last step."""
        return self.ends(study, trial, lambda _: True)

    def ends(self, study: Study, trial: FrozenTrial, competes: Callable[[FrozenTrial], bool]) -> bool:
        """The same where only some of the study's trials compete, always the same ones."""
        last = trial.last_step
        if last is None or last < self.resource:
            return False
        before = max((step for step in trial.intermediate_values if step != last), default=-1)
        sign = 1.0 if study.direction == StudyDirection.MINIMIZE else -1.0
        value = sign * trial.intermediate_values[last]
        reached = [rung for rung in rungs_up_to(self.resource, self.reduction, last) if rung > before]
        running = self._running(study, sign, competes) if reached else []
        for rung in reached:
            values = (value_at(other, rung) for other in running if other.number != trial.number)
            others, ended = [sign * other for other in values if other is not None], self._ended[rung]
            kept = max((len(ended) + len(others) + 1) // self.reduction, 1)
            better = bisect_left(ended, value) + sum(other < value for other in others)
            if better >= kept:
                return True
        return False

    def _running(
        self, study: Study, sign: float, competes: Callable[[FrozenTrial], bool]
    ) -> list[FrozenTrial]:
        """The trials that are open; those that have ended never change, so each is looked at once."""
        if self._known != (study._storage, study._study_id):
            self._forget((study._storage, study._study_id))
        known = [get_trial(study, number) for number in self._open]
        new = list(trials_from(study, self._seen))
        current = [*known, *(trial for trial in new if competes(trial))]
        self._seen += len(new)
        running = [trial for trial in current if not trial.state.is_finished()]
        self._open = [trial.number for trial in running]
        for trial in current:
            last = trial.last_step if trial.state.is_finished() else None
            for rung in rungs_up_to(self.resource, self.reduction, last or 0):
                value = value_at(trial, rung)
                if value is not None:
                    insort(self._ended[rung], sign * value)
        return running

    def _forget(self, known: tuple[BaseStorage, int] | None) -> None:
        """Begin with a study of which nothing has been seen."""
        self._known, self._seen = known, 0
        self._ended, self._open = defaultdict(list), []
