"""One search's ask, report and tell: an Optuna sampler and pruner on a study in memory.

A search is a pure function of its seed and its history, so one rebuilt from the ledger goes on
exactly as the uninterrupted one. Everything that samplers keep is in the attributes of trials.
"""

from __future__ import annotations

import copy
import math
import random
import warnings
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import optuna
from optuna.samplers import BaseSampler
from optuna.storages import InMemoryStorage
from optuna.study._tell import _tell_with_warning
from optuna.trial import FrozenTrial

from automl import plugins
from automl.contracts import (
    PROXY,
    Config,
    Metric,
    PluginSpec,
    Pruner,
    Strategy,
    TrialState,
    UserError,
    derive_seed,
)
from automl.space import Float, Space
from automl.strategies.base import FALLBACK, TOLD, distribution
from automl.strategies.history import SCORE, SCREEN, History, Proposal, StagedSampler, WholeSampler

if TYPE_CHECKING:
    from automl.ledger.rows import ReportRow, TrialRow

ATTEMPTS = 5  # proposals that break a constraint before a random configuration takes their place
STUDY = "automl:study"  # trial attribute: attributes of the study written while it was proposed
JOINT = "relative_params:"  # in names of attributes with values drawn jointly, inactive ones too
STATES = {
    TrialState.COMPLETE: optuna.trial.TrialState.COMPLETE,
    TrialState.PRUNED: optuna.trial.TrialState.PRUNED,
    TrialState.FAILED: optuna.trial.TrialState.FAIL,
}


class Searcher:
    """Proposes and judges the trials of one search.

    Calls and what follows, for a search with one metric:

        ask(0) -> {"lr": 0.1}           trial 0 is open
        report(0, 1, 0.6) -> False      it may go on
        tell(0, COMPLETE, [0.7]) -> {}  closed; what to keep of it in the ledger besides its row
        ask(1) -> {"lr": 0.3}           depends on the seed, the number and all tells so far

    `ask` takes the next number each time. `strategy` and `pruner` belong to this search alone. Raises
    `UserError` for a strategy that cannot search this space or these metrics.
    """

    @classmethod
    def build(
        cls, space: Space, strategy: PluginSpec, pruner: PluginSpec, metrics: list[Metric], seed: int
    ) -> Searcher:
        """A searcher of plug-ins by name. Raises `UserError` also for unknown ones and wrong options."""
        plugins_of_search = plugins.build("strategies", strategy), plugins.build("pruners", pruner)
        return cls(space, *plugins_of_search, metrics, seed)

    def __init__(
        self, space: Space, strategy: Strategy, pruner: Pruner, metrics: list[Metric], seed: int
    ) -> None:
        _quieten()
        self._space = space
        self._metrics = metrics
        self._seed = seed
        self._distributions = {name: distribution(item) for name, item in space.parameters.items()}
        self._strategy = strategy
        self._history = History(space, metrics)
        self._storage = InMemoryStorage()
        self._study = optuna.create_study(
            study_name=f"search-{seed}",  # Hyperband hashes it
            storage=self._storage,
            directions=[metric.direction.value for metric in metrics],
            sampler=self._sampler(0, 0),
            pruner=pruner.pruner(metrics[0]),
        )
        self._told = 0
        self._evaluators: dict[int, PluginSpec] = {}  # of open trials that are not evaluated by the arm's own

    def _sampler(self, number: int, attempt: int) -> BaseSampler:
        seed = derive_seed(self._seed, number, attempt)
        sampler: BaseSampler = self._strategy.sampler(self._space, self._metrics, seed, self._seed)
        return sampler.stage(number, self._history) if isinstance(sampler, StagedSampler) else sampler

    def ask(self, number: int) -> Config | None:
        """The configuration of trial `number`; None when the strategy has nothing left to propose."""
        self._study.sampler = sampler = self._sampler(number, 0)
        end = self._strategy.proposals(self._space)
        if end is not None and number >= end:
            return None
        if isinstance(sampler, WholeSampler):
            return self._take(number, sampler.propose(number, self._history))
        before = self._storage.get_study_system_attrs(self._study._study_id)
        config = self._propose(self._open(number))
        self._forget_joint_draw(number)
        after = self._storage.get_study_system_attrs(self._study._study_id)
        written = {key: value for key, value in after.items() if before.get(key) != value}
        if written:
            self._storage.set_trial_system_attr(number, STUDY, written)
        self._history.open(number, config, {})
        return config

    def _take(self, number: int, proposal: Proposal) -> Config:
        """Open trial `number` with a whole configuration, past Optuna's bookkeeping of each parameter."""
        trial = _running(self._open(number))
        trial.params = dict(proposal.config)
        trial.distributions = {name: self._distributions[name] for name in proposal.config}
        trial.system_attrs = dict(proposal.attributes)
        self._storage._set_trial(number, trial)
        if proposal.evaluator is not None:
            self._evaluators[number] = proposal.evaluator
        self._history.open(number, proposal.config, proposal.attributes)
        return dict(proposal.config)

    def evaluator(self, number: int) -> PluginSpec | None:
        """The evaluator that the proposal of open trial `number` named; None for the arm's own."""
        return self._evaluators.get(number)

    def _propose(self, number: int) -> Config:
        for attempt in range(ATTEMPTS):
            if attempt:
                self._storage._set_trial(number, _running(number))
                self._study.sampler = self._sampler(number, attempt)
            self._study._thread_local.cached_all_trials = None
            trial = optuna.Trial(self._study, number)
            config = self._space.fill(lambda name, _: trial._suggest(name, self._distributions[name]))  # noqa: B023
            if not self._space.broken(config):
                return config
        config = self._space.sample(random.Random(derive_seed(self._seed, number, "fallback")))
        self._set_params(number, config)
        self._storage.set_trial_system_attr(number, FALLBACK, True)
        return config

    def report(self, number: int, step: int, value: float) -> bool:
        """Take an open trial's value of the primary metric; whether the pruner would end it now.

        A step reported again (a second attempt) replaces the first; later steps of the first do
        not count in the decision. A value that is not finite is left out.
        """
        if not math.isfinite(value):
            return False
        self._set_reports(number, {step: value})
        if len(self._metrics) > 1:
            return False
        trial = copy.copy(self._storage.get_trial(number))
        trial.intermediate_values = {s: v for s, v in trial.intermediate_values.items() if s <= step}
        return bool(self._study.pruner.prune(self._study, trial))

    def tell(
        self,
        number: int,
        state: TrialState,
        values: list[float] | None,
        metrics: Mapping[str, float] | None = None,
    ) -> dict[str, Any]:
        """Close an open trial; the attributes to keep with it, plain JSON.

        `values`: one per metric when complete. Values that are missing or not finite count as failed.
        `metrics`: all else that was measured, of which the score of a screening is kept.
        """
        valid = values is not None and len(values) == len(self._metrics) and all(map(math.isfinite, values))
        if state is TrialState.COMPLETE and not valid:
            state = TrialState.FAILED
        known = STATES[state]
        self._evaluators.pop(number, None)
        if proxy := self._storage.get_trial(number).system_attrs.get(SCREEN):
            known = optuna.trial.TrialState.FAIL  # a screening tells no sampler anything of the metrics
            if metrics and PROXY + proxy in metrics:
                self._storage.set_trial_system_attr(number, SCORE, metrics[PROXY + proxy])
        self._storage.set_trial_system_attr(number, TOLD, self._told)
        self._told += 1
        final = values if known is optuna.trial.TrialState.COMPLETE else None
        # what study.tell calls; that copies the whole trial besides, at half the cost of a proposal
        _tell_with_warning(self._study, number, final, known)
        attributes = self._storage.get_trial(number).system_attrs
        kept = {key: value for key, value in attributes.items() if key != TOLD}
        self._history.trials[number].attributes = kept
        self._history.close(number, state, values)
        return dict(kept)

    def restore(self, trials: Sequence[TrialRow], reports: Mapping[str, Sequence[ReportRow]]) -> None:
        """Rebuild a fresh searcher from its search's rows in the ledger.

        Rows that are still running become open trials: they are proposed again, each at its place
        in the history, because nothing but their configuration is in the ledger yet. Raises
        `UserError` when a configuration does not fit the space.
        """
        rows = sorted((row for row in trials if row.kind == "trial"), key=lambda row: row.number)
        finished = [row for row in rows if row.state is not TrialState.RUNNING]
        finished.sort(key=lambda row: (row.told is None, row.told or 0, row.number))
        waiting = deque(rows)
        for row in finished:
            while waiting and (waiting[0].asked_after <= self._told or waiting[0].number <= row.number):
                self._reopen(waiting.popleft())
            self._set_reports(row.number, {item.step: item.value for item in reports.get(row.id, ())})
            self.tell(row.number, row.state, row.values)
        for row in waiting:
            self._reopen(row)
        for row in rows:
            if row.state is TrialState.RUNNING:
                self._set_reports(row.number, {item.step: item.value for item in reports.get(row.id, ())})

    def _reopen(self, row: TrialRow) -> None:
        try:
            self._space.check(row.config)
        except UserError as error:
            raise UserError(
                f"the trials of a search must fit its space, but {row.id} does not: {error}; "
                "start afresh after a change of the space"
            ) from error
        proposed = self.ask(row.number) if row.state is TrialState.RUNNING else None
        if proposed == row.config:
            return
        if proposed is None:
            self._open(row.number)
        attributes = row.attributes or {}
        self._history.open(row.number, row.config, attributes)
        for key, value in attributes.items():
            self._storage.set_trial_system_attr(row.number, key, value)
        for key, value in attributes.get(STUDY, {}).items():
            self._storage.set_study_system_attr(self._study._study_id, key, value)
        self._set_params(row.number, row.config)

    def _open(self, number: int) -> int:
        """Create trial `number`; numbers that were skipped become failed trials without a configuration."""
        while (created := self._storage.create_new_trial(self._study._study_id)) < number:
            self._storage.set_trial_state_values(created, optuna.trial.TrialState.FAIL)
        if created != number:
            raise ValueError(
                f"trials must be asked once each and in order, but got {number} after {created - 1}"
            )
        return number

    def _set_params(self, number: int, config: Config) -> None:
        trial = _running(number)
        trial.system_attrs = self._storage.get_trial(number).system_attrs
        self._storage._set_trial(number, trial)
        for name, value in config.items():
            kind = self._distributions[name]
            exact = float(value) if isinstance(self._space.parameters[name], Float) else value  # type: ignore[arg-type]
            self._storage.set_trial_param(number, name, kind.to_internal_repr(exact), kind)

    def _forget_joint_draw(self, number: int) -> None:
        """Leave only the configuration: while a trial runs, samplers would count the rest of the draw too."""
        trial = copy.copy(self._storage.get_trial(number))
        trial.system_attrs = {key: value for key, value in trial.system_attrs.items() if JOINT not in key}
        self._storage._set_trial(number, trial)

    def _set_reports(self, number: int, values: Mapping[int, float | None]) -> None:
        trial = copy.copy(self._storage.get_trial(number))
        told = {step: value for step, value in values.items() if value is not None}
        trial.intermediate_values = dict(sorted({**trial.intermediate_values, **told}.items()))
        self._storage._set_trial(number, trial)


def _running(number: int) -> FrozenTrial:
    """An open trial without parameters. In a storage of one study a trial's id is its number."""
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
def _quieten() -> None:
    """Keep Optuna's notes on new studies and experimental classes out of the user's terminal."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
