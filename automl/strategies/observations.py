"""The trials of one search as arrays of numbers, of which each is looked at once after it has ended."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

T = TypeVar("T", tuple[float, int], tuple[tuple[float, float], int])
Array: TypeAlias = NDArray[Any]
GOOD: Final = 25  # trials that TPE calls good, at most
Kind: TypeAlias = dict[str, BaseDistribution]  # the parameters that a trial has


class Observations:
    """The complete and pruned trials of a study for one metric, and those that are still open.

    `ended`: their numbers, rising. `best`: losses and numbers of the best complete ones, the best first;
    `best_pruned`: the same of pruned ones, where those with more steps are better; `best_beyond`: the same of
    those that broke a constraint, complete or not, by their violations.
    `open`: numbers of the others, rising. Everything derives from the study: another one is read anew.
    """

    ended: list[int]
    open: list[int]
    best: list[tuple[float, int]]
    best_pruned: list[tuple[tuple[float, float], int]]
    best_beyond: list[tuple[float, int]]
    _columns: dict[str, Array]
    _kinds: dict[frozenset[str], tuple[int, Kind]]
    _known: tuple[BaseStorage, int] | None
    _seen: int
    _size: int  # of the columns

    def __init__(self) -> None:
        self._forget(None)

    def follow(self, study: Study, until: int) -> None:
        """Take in what is new of the trials whose numbers are below `until`."""
        known = study._storage, study._study_id
        if self._known != known:
            self._forget(known)
        minimize = study.direction is StudyDirection.MINIMIZE
        still_open = []
        for number in [*self.open, *range(self._seen, until)]:
            trial = get_trial(study, number)
            if trial.state is TrialState.RUNNING:
                still_open.append(number)
            if trial.state is not TrialState.FAIL:
                self._note(trial)
            if trial.state in (TrialState.COMPLETE, TrialState.PRUNED):
                self._end(trial, 1.0 if minimize else -1.0)
        self.open, self._seen = still_open, max(self._seen, until)

    def kinds(self) -> list[Kind]:
        """The different sets of parameters that ended trials have, by the first trial of each."""
        return [kind for _, kind in sorted(self._kinds.values(), key=lambda entry: entry[0])]

    def columns(self, numbers: Array, names: Iterable[str]) -> tuple[dict[str, Array], Array]:
        """By name, the values of trials in the terms of Optuna, and which of `numbers` have all of them.

        Shapes: (k,) of those that do, and (n,).
        """
        nowhere = np.full(len(numbers), np.nan)
        found = {name: self._columns[name][numbers] if name in self._columns else nowhere for name in names}
        whole = ~np.isnan(np.array(list(found.values()))).any(axis=0)
        return {name: values[whole] for name, values in found.items()}, whole

    def _end(self, trial: FrozenTrial, sign: float) -> None:
        insort(self.ended, trial.number)
        names = frozenset(trial.distributions)
        if names not in self._kinds or self._kinds[names][0] > trial.number:
            self._kinds[names] = trial.number, trial.distributions
        if beyond := sum(one for one in trial.constraints.values() if one > 0):
            _keep(self.best_beyond, (beyond, trial.number))
            return
        if trial.state is TrialState.COMPLETE:
            _keep(self.best, (sign * trial.values[0], trial.number))
            return
        score = 1.0, 0.0  # it has reported nothing
        if trial.intermediate_values:
            step, value = max(trial.intermediate_values.items())
            score = float(-step), sign * value
        _keep(self.best_pruned, (score, trial.number))

    def _note(self, trial: FrozenTrial) -> None:
        """Write the configuration of a trial into its row."""
        if trial.number >= self._size:
            self._grow(2 * trial.number + 64)
        for name in self._columns.keys() | trial.params.keys():
            if name not in self._columns:
                self._columns[name] = np.full(self._size, np.nan)
            value = np.nan
            if name in trial.params:
                value = trial.distributions[name].to_internal_repr(trial.params[name])
            self._columns[name][trial.number] = value

    def _grow(self, size: int) -> None:
        for name, column in self._columns.items():
            self._columns[name] = np.concatenate([column, np.full(size - self._size, np.nan)])
        self._size = size

    def _forget(self, known: tuple[BaseStorage, int] | None) -> None:
        self._known, self._seen, self._size = known, 0, 0
        self.ended, self.open, self.best, self.best_pruned, self.best_beyond = [], [], [], [], []
        self._columns, self._kinds = {}, {}


def _keep(best: list[T], entry: T) -> None:
    """Put `entry` among the best that are kept."""
    if len(best) < GOOD or entry < best[-1]:
        insort(best, entry)
        del best[GOOD:]


def get_trial(study: Study, number: int) -> FrozenTrial:
    """The trial of that number, as it is. Raises `KeyError` without one."""
    storage = study._storage
    return storage.get_trial(storage.get_trial_id_from_study_id_trial_number(study._study_id, number))


def trials_from(study: Study, number: int) -> Iterator[FrozenTrial]:
    """The trials from that number on; unlike all trials of a study, they cost nothing when there are none."""
    while True:
        try:
            trial = get_trial(study, number)
        except KeyError:
            return
        yield trial
        number += 1
