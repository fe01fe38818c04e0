"""Earlier trials as the history of a new search: complete trials of an Optuna study, all with number -1.

Values on other data are not comparable. A source whose values are not is shifted by the median difference on
configurations that have been evaluated in both (the first proposals see to that), and is hidden until there
is one.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial

from automl.contracts import EarlierTrial, SearchMemory
from automl.space import Float, Space

BEFORE = -1  # the number of all of them: older than any trial of the search
_COMPLETE = optuna.trial.TrialState.COMPLETE


class RememberedTrials:
    """The trials of `memory` in the terms of a search of `space`; `distributions` by parameter."""

    def __init__(
        self, space: Space, memory: SearchMemory, distributions: Mapping[str, BaseDistribution]
    ) -> None:
        self._space = space
        self._memory = memory
        self._distributions = distributions
        self._values: dict[str, dict[int, list[float]]] = defaultdict(dict)  # by configuration and source
        for trial in memory.trials:
            self._values[space.digest(trial.config)][trial.source] = trial.values
        self._digests: dict[int, str] = {}

    def beside(self, live: Sequence[FrozenTrial]) -> list[FrozenTrial]:
        """Those whose values can be put beside the values of `live`, the search's own trials."""
        shifts = self._shifts([trial for trial in live if trial.state is _COMPLETE])
        return [
            self._frozen(trial, shifts[trial.source])
            for trial in self._memory.trials
            if trial.source in shifts
        ]

    def _shifts(self, complete: Sequence[FrozenTrial]) -> dict[int, list[float]]:
        """What to add to the values of each source that can be compared, one number per metric."""
        differences: dict[int, list[list[float]]] = defaultdict(list)
        for trial in complete:
            for source, values in self._values.get(self._digest(trial), {}).items():
                pairs = zip(trial.values, values, strict=True)
                differences[source].append([now - then for now, then in pairs])
        shifts = {}
        for source, comparable in enumerate(self._memory.comparable):
            if comparable:
                shifts[source] = [0.0] * len(complete[0].values if complete else [])
            elif differences[source]:
                shifts[source] = [
                    statistics.median(column) for column in zip(*differences[source], strict=True)
                ]
        return shifts

    def _digest(self, trial: FrozenTrial) -> str:
        if trial.number not in self._digests:
            self._digests[trial.number] = self._space.digest(trial.params)
        return self._digests[trial.number]

    def _frozen(self, trial: EarlierTrial, shift: Sequence[float]) -> FrozenTrial:
        values = trial.values
        if shift:
            values = [value + change for value, change in zip(values, shift, strict=True)]
        params = {name: self._exact(name, value) for name, value in trial.config.items()}
        return FrozenTrial(
            number=BEFORE,
            trial_id=BEFORE,
            state=_COMPLETE,
            value=None,
            values=values,
            datetime_start=None,
            datetime_complete=None,
            params=params,
            distributions={name: self._distributions[name] for name in params},
            user_attrs={},
            system_attrs={},
            intermediate_values={},
        )

    def _exact(self, name: str, value: object) -> object:
        number = isinstance(self._space.parameters[name], Float) and isinstance(value, (int, float))
        return float(value) if number and math.isfinite(value) else value  # type: ignore[arg-type]


class RememberingStudy(optuna.Study):
    """A study that shows samplers remembered trials beside its own while they propose, pruners never."""

    earlier: Sequence[FrozenTrial] = ()

    def _get_trials(
        self,
        deepcopy: bool = True,
        states: Sequence[optuna.trial.TrialState] | None = None,  # type: ignore[override]
        use_cache: bool = False,
    ) -> list[FrozenTrial]:
        own = super()._get_trials(deepcopy, tuple(states) if states is not None else None, use_cache)
        shown = self.earlier if states is None or _COMPLETE in states else ()
        return [*shown, *own]
