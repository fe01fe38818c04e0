"""The trials of one search as an Optuna study in memory, past the bookkeeping that would double its cost."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.storages import InMemoryStorage
from optuna.study._tell import _tell_with_warning
from optuna.trial import FrozenTrial

from automl.contracts import Config, Metric, SearchMemory
from automl.space import Float, Space
from automl.strategies.base import distribution
from automl.strategies.remembered import RememberedTrials, RememberingStudy

JOINT = "relative_params:"  # in names of attributes with values drawn jointly, inactive ones too


class MemoryStudy:
    """An Optuna `study` in a `storage`, whose trials are opened, filled and closed by their numbers.

    `seed` names the study. In a storage of one study a trial's id is its number.
    """

    def __init__(
        self, space: Space, metrics: list[Metric], seed: int, sampler: BaseSampler, pruner: BasePruner
    ) -> None:
        self._space = space
        self._distributions = {name: distribution(item) for name, item in space.parameters.items()}
        self._kinds: dict[tuple[str, ...], dict[str, BaseDistribution]] = {}
        self.storage = InMemoryStorage()
        self.study = optuna.create_study(
            study_name=f"search-{seed}",  # Hyperband hashes it
            storage=self.storage,
            directions=[metric.direction.value for metric in metrics],
            sampler=sampler,
            pruner=pruner,
        )
        self._remembered: RememberedTrials | None = None

    def remember(self, memory: SearchMemory) -> None:
        """Show earlier trials to samplers, beside those of this search, from now on."""
        study = self.study
        self.study = RememberingStudy(study.study_name, self.storage, study.sampler, study.pruner)
        self._remembered = RememberedTrials(self._space, memory, self._distributions)

    def open(self, number: int) -> int:
        """Create trial `number`; numbers that were skipped become failed trials without a configuration."""
        while (created := self.storage.create_new_trial(self.study._study_id)) < number:
            self.storage.set_trial_state_values(created, optuna.trial.TrialState.FAIL)
        if created != number:
            raise ValueError(
                f"trials must be asked once each and in order, but got {number} after {created - 1}"
            )
        return number

    def open_whole(self, number: int, config: Config, attributes: Mapping[str, Any]) -> None:
        """Create trial `number` with its configuration, without a draw of each parameter.

        It keeps `config` itself, and trials with the same parameters share their distributions: that saves a
        quarter of the memory.
        """
        trial = _running(self.open(number))
        trial.params = config
        names = tuple(config)
        if names not in self._kinds:
            self._kinds[names] = {name: self._distributions[name] for name in config}
        trial.distributions = self._kinds[names]
        trial.system_attrs = dict(attributes)
        self.storage._set_trial(number, trial)

    def reopen(self, number: int) -> None:
        """Forget all that was drawn for an open trial."""
        self.storage._set_trial(number, _running(number))

    def use(self, sampler: BaseSampler) -> None:
        """Draw by `sampler` from now on."""
        self.study.sampler = sampler

    def draw(self, number: int) -> Config:
        """A configuration for an open trial, drawn parameter by parameter."""
        self.study._thread_local.cached_all_trials = None
        with self._remembering():
            trial = optuna.Trial(self.study, number)
            return self._space.fill(lambda name, _: trial._suggest(name, self._distributions[name]))

    @contextmanager
    def _remembering(self) -> Iterator[None]:
        if self._remembered is None or not isinstance(self.study, RememberingStudy):
            yield
            return
        own = self.storage.get_all_trials(self.study._study_id, deepcopy=False)
        self.study.earlier = self._remembered.beside(own)
        try:
            yield
        finally:
            self.study.earlier = ()

    def set_config(self, number: int, config: Config) -> None:
        """Replace what was drawn for an open trial; its attributes stay."""
        trial = _running(number)
        trial.system_attrs = self.storage.get_trial(number).system_attrs
        self.storage._set_trial(number, trial)
        for name, value in self.exact(config).items():
            kind = self._distributions[name]
            self.storage.set_trial_param(number, name, kind.to_internal_repr(value), kind)

    def exact(self, config: Config) -> Config:
        """A configuration with the very values that a draw would have given: 1.0 where JSON has 1."""
        return {
            name: self._distributions[name].to_external_repr(
                self._distributions[name].to_internal_repr(
                    float(value) if isinstance(self._space.parameters[name], Float) else value  # type: ignore[arg-type]
                )
            )
            for name, value in config.items()
        }

    def forget_joint_draw(self, number: int) -> None:
        """Leave only the configuration: while a trial runs, samplers would count the rest of the draw too."""
        trial = copy.copy(self.storage.get_trial(number))
        trial.system_attrs = {key: value for key, value in trial.system_attrs.items() if JOINT not in key}
        self.storage._set_trial(number, trial)

    def add_reports(self, number: int, values: Mapping[int, float | None]) -> None:
        """Add values by step to a trial; a step reported again replaces the first, None adds nothing."""
        if not values:
            return
        trial = copy.copy(self.storage.get_trial(number))
        reported = {step: value for step, value in values.items() if value is not None}
        trial.intermediate_values = dict(sorted({**trial.intermediate_values, **reported}.items()))
        self.storage._set_trial(number, trial)

    def prunes(self, number: int, step: int) -> bool:
        """Whether the pruner would end a trial at `step`, later steps left out."""
        trial = copy.copy(self.storage.get_trial(number))
        trial.intermediate_values = {s: v for s, v in trial.intermediate_values.items() if s <= step}
        return bool(self.study.pruner.prune(self.study, trial))

    def close(self, number: int, state: optuna.trial.TrialState, values: list[float] | None) -> None:
        """End an open trial."""
        # what study.tell calls, without its copy of the whole trial, which costs half as much as a proposal
        _tell_with_warning(self.study, number, values, state)

    def attributes(self, number: int) -> dict[str, Any]:
        """What samplers keep with a trial: plain JSON."""
        attributes: dict[str, Any] = self.storage.get_trial(number).system_attrs
        return attributes

    def set_attributes(self, number: int, attributes: Mapping[str, Any]) -> None:
        """Keep plain JSON with an open trial."""
        for key, value in attributes.items():
            self.storage.set_trial_system_attr(number, key, value)

    def study_attributes(self) -> dict[str, Any]:
        """What samplers keep with the whole search: plain JSON."""
        return self.storage.get_study_system_attrs(self.study._study_id)

    def set_study_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Keep plain JSON with the whole search."""
        for key, value in attributes.items():
            self.storage.set_study_system_attr(self.study._study_id, key, value)


def _running(number: int) -> FrozenTrial:
    """An open trial without parameters."""
    return FrozenTrial(
        number=number,
        trial_id=number,
        state=optuna.trial.TrialState.RUNNING,
        value=None,
        datetime_start=datetime.now(),
        datetime_complete=None,
        params={},
        distributions={},
        user_attrs={},
        system_attrs={},
        intermediate_values={},
    )


@cache
def quieten() -> None:
    """Keep Optuna's notes on new studies, experimental classes and numbers out of the user's terminal."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    # 2026-11-30, Optuna 5.0: 0 / 0 where one point is far better than all others, from which it then starts
    warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"optuna\._gp\.optim_mixed")
