"""One search's ask, report and tell: an Optuna sampler and pruner on a study in memory.

A search is a pure function of its seed and its history, so one rebuilt from the ledger continues
exactly as the uninterrupted one. Everything that samplers keep is in the attributes of trials.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from optuna.samplers import BaseSampler

from automl import plugins
from automl.contracts import (
    Bounds,
    Config,
    Metric,
    PluginSpec,
    Pruner,
    SearchMemory,
    Strategy,
    TrialState,
    UserError,
    derive_seed,
)
from automl.space import Space
from automl.strategies import telling
from automl.strategies.base import FALLBACK, REMEMBERED, TOLD
from automl.strategies.beginning import starts
from automl.strategies.history import History, Proposal, StagedSampler, WholeSampler
from automl.strategies.memory import MemoryStudy, quieten

if TYPE_CHECKING:
    from automl.ledger.rows import ReportRow, TrialRow

ATTEMPTS = 5  # proposals that break a constraint before a random configuration takes their place
STUDY = "automl:study"  # trial attribute: attributes of the study written while it was proposed


class Searcher:
    """Proposes and judges the trials of one search.

    Calls and what follows, for a search with one metric:

        ask(0) -> {"lr": 0.1}           trial 0 is open
        report(0, 1, 0.6) -> False      it may continue
        tell(0, COMPLETE, [0.7]) -> {}  closed; what to keep with its row in the ledger
        ask(1) -> {"lr": 0.3}           depends on the seed, the number and all trials that have ended

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
        quieten()
        strategy.check_search(space, metrics)
        self._space = space
        self._metrics = metrics
        self._seed = seed
        self._strategy = strategy
        self.compares_reports = strategy.compares_reports or pruner.prunes  # of complete trials
        self._starts: dict[int, Config] = {}  # the space's own, by the place among the strategy's proposals
        self._first: list[Config] = []  # proposals of memory, before any of the strategy's own
        self._history = History(space, metrics)
        self._memory = MemoryStudy(space, metrics, seed, self._sampler(0, 0), pruner.pruner(metrics[0]))
        self._constraints: Mapping[str, Bounds] = {}  # for samplers that know any
        self._bounded = False  # by constraints, whoever knows them
        self._ended = 0  # trials that have ended
        self._evaluators: dict[int, PluginSpec] = {}  # of open trials that are not evaluated by the arm's own

    def with_memory(self, memory: SearchMemory | None) -> Searcher:
        """The searcher, which proposes the best of earlier campaigns first and has their trials as history.

        They are part of no result: none is asked, told, counted or charged.
        """
        if memory is not None and self._strategy.remembers == "nothing":
            raise ValueError(f"{type(self._strategy).__name__} remembers nothing, but was given a memory")
        if memory is not None:
            self._first = list(memory.first)
            if self._strategy.remembers == "history" and not self._bounded:
                self._memory.remember(memory)
        return self

    def with_constraints(self, constraints: Mapping[str, Bounds]) -> Searcher:
        """The searcher, whose samplers learn how trials keep them. Call it before `with_memory`."""
        self._bounded = bool(constraints)
        self._constraints = constraints if self._strategy.constrained else {}
        return self

    def with_default(self, rows: int | None = None) -> Searcher:
        """The searcher, which proposes the space's default configuration where its strategy says.

        Then the space's portfolio for so many training rows (see `starts`).
        """
        self._starts = starts(self._space, self._strategy, self._first, rows)
        return self

    def _sampler(self, number: int, attempt: int) -> BaseSampler:
        seed = derive_seed(self._seed, number, attempt)
        sampler: BaseSampler = self._strategy.sampler(self._space, self._metrics, seed, self._seed)
        if isinstance(sampler, StagedSampler):
            return sampler.stage(number - len(self._first), self._history)
        return sampler

    def ask(self, number: int) -> Config | None:
        """The configuration of trial `number`; None when the strategy has nothing left to propose."""
        own = number - len(self._first)  # its place among the strategy's own proposals
        if own < 0:
            attributes = {REMEMBERED: number, **self._strategy.remembered_attributes()}
            return self._take(number, Proposal(dict(self._first[number]), attributes))
        sampler = self._sampler(number, 0)
        self._memory.use(sampler)
        end = self._strategy.proposals(self._space)
        if end is not None and own >= end:
            return None
        if own in self._starts:
            return self._take(number, Proposal(self._starts[own]))
        if isinstance(sampler, WholeSampler):
            return self._take(number, sampler.propose(own, self._history))
        before = self._memory.study_attributes()
        config = self._draw(self._memory.open(number))
        self._memory.forget_joint_draw(number)
        after = self._memory.study_attributes()
        written = {key: value for key, value in after.items() if before.get(key) != value}
        if written:
            self._memory.set_attributes(number, {STUDY: written})
        self._history.open(number, config, {})
        return config

    def _take(self, number: int, proposal: Proposal) -> Config:
        self._memory.open_whole(number, proposal.config, proposal.attributes)
        if proposal.evaluator is not None:
            self._evaluators[number] = proposal.evaluator
        self._history.open(number, proposal.config, proposal.attributes)
        return dict(proposal.config)

    def evaluator(self, number: int) -> PluginSpec | None:
        """The evaluator that the proposal of open trial `number` named; None for the arm's own."""
        return self._evaluators.get(number)

    def _draw(self, number: int) -> Config:
        for attempt in range(ATTEMPTS):
            if attempt:
                self._memory.reopen(number)
                self._memory.use(self._sampler(number, attempt))
            config = self._memory.draw(number)
            if not self._space.broken(config):
                return config
        config = self._space.sample(random.Random(derive_seed(self._seed, number, "fallback")))
        self._memory.set_config(number, config)
        self._memory.set_attributes(number, {FALLBACK: True})
        return config

    def report(self, number: int, step: int, value: float) -> bool:
        """Take an open trial's value of the primary metric; whether the pruner would end it now.

        A step reported again (a second attempt) replaces the first; later steps of the first do
        not count in the decision. A value that is not finite is left out.
        """
        if not math.isfinite(value):
            return False
        self._memory.add_reports(number, {step: value})
        return len(self._metrics) == 1 and self._memory.prunes(number, step)

    def tell(
        self,
        number: int,
        state: TrialState,
        values: list[float] | None,
        metrics: Mapping[str, float] | None = None,
    ) -> dict[str, Any]:
        """Close an open trial; the attributes to keep with it, plain JSON.

        `values`: one per metric when complete. Values that are missing or not finite count as failed.
        `metrics`: all else that was measured, of which `telling.noted` keeps what samplers need.
        """
        valid = values is not None and len(values) == len(self._metrics) and all(map(math.isfinite, values))
        if state is TrialState.COMPLETE and not valid:
            state = TrialState.FAILED
        self._evaluators.pop(number, None)
        before = self._memory.attributes(number)
        noted = telling.noted(before, self._constraints, self._metrics, state, values, metrics or {})
        self._memory.set_attributes(number, {**noted, TOLD: self._ended})
        self._ended += 1
        self._memory.close(number, *telling.to_samplers(state, values, {**before, **noted}))
        kept = {key: value for key, value in self._memory.attributes(number).items() if key != TOLD}
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
            while waiting and (waiting[0].asked_after <= self._ended or waiting[0].number <= row.number):
                self._reopen(waiting.popleft())
            self._memory.add_reports(row.number, {item.step: item.value for item in reports.get(row.id, ())})
            self.tell(row.number, row.state, row.values)
        for row in waiting:
            self._reopen(row)
        for row in rows:
            if row.state is TrialState.RUNNING:
                values = {item.step: item.value for item in reports.get(row.id, ())}
                self._memory.add_reports(row.number, values)

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
        attributes = row.attributes or {}
        config = row.config if proposed is not None else self._memory.exact(row.config)
        self._history.open(row.number, config, attributes)
        self._memory.set_study_attributes(attributes.get(STUDY, {}))
        if proposed is None:
            self._memory.open_whole(row.number, config, attributes)
            return
        self._memory.set_attributes(row.number, attributes)
        self._memory.set_config(row.number, row.config)
