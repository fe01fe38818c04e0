"""A whole search in memory, trial after trial on a simulated clock, with the results of a live search.

The same searcher, pruner and rules of ending as live; only the clock is the benchmark's.
"""

from __future__ import annotations

import time
from dataclasses import replace

from automl.contracts import (
    Config,
    Job,
    Metric,
    Outcome,
    Replay,
    Replayed,
    Report,
    Tabular,
    TrialState,
    TrialStopped,
    derive_seed,
)
from automl.executors.trial import TrialContext, evaluate
from automl.spaces import load_space
from automl.stopping import PRUNED, Counts, Standing, stop_reason
from automl.strategies.searcher import Searcher

TICK = 1e-6  # seconds at least between the ends of two trials


def replay_search(job: Job, replay: Replay, evaluator: Tabular) -> Outcome:
    """Run the search that `job` describes; its trials and why it ended.

    Raises `UserError` when the strategy cannot search the space, and `TrialStopped` past the job's
    deadline, in wall seconds.
    """
    return _Simulation(job, replay, evaluator).run()


class _Simulation:
    """One search. It is the channel of its own trials."""

    def __init__(self, job: Job, replay: Replay, evaluator: Tabular) -> None:
        self.job, self.replay, self.evaluator = job, replay, evaluator
        self.space = load_space(job.space)
        context = TrialContext(job, self, None, self.space, evaluator, "cpu")
        self.metrics: list[Metric] = context.metrics
        self.searcher = (
            Searcher.build(self.space, replay.strategy, replay.pruner, self.metrics, replay.seed)
            .with_memory(replay.memory)
            .with_default()
            if replay.strategy is not None
            else None
        )
        self.counts = Counts()
        self.trials: list[Replayed] = []
        self.best: Replayed | None = None
        self._reports: list[Report] = []
        self._late = time.monotonic() + job.deadline
        self._last = time.time()

    def run(self) -> Outcome:
        """All trials, then the fresh-seed values of the best."""
        exhausted = False
        while (reason := self._stop_reason(exhausted)) is None:
            if time.monotonic() > self._late:
                raise TrialStopped("deadline")
            config = self._ask(len(self.trials))
            if config is None:
                exhausted = True
            else:
                self._trial(len(self.trials), config)
        self._finals()
        return Outcome(TrialState.COMPLETE, self.counts.spent, reason=reason, trials=self.trials)

    def report(self, report: Report) -> str | None:
        """Take a report of the trial that runs; a reason ends it."""
        self._reports.append(report)
        if self.searcher is None or report.value is None:
            return None
        return PRUNED if self.searcher.report(len(self.trials), report.step, report.value) else None

    def _stop_reason(self, exhausted: bool) -> str | None:
        single, spent = self.searcher is None, self.counts.spent
        standing = Standing(len(self.trials), spent, single=single, exhausted=exhausted)
        return stop_reason(self.replay, self.counts, standing)

    def _ask(self, number: int) -> Config | None:
        return dict(self.job.config) if self.searcher is None else self.searcher.ask(number)

    def _trial(self, number: int, config: Config) -> None:
        budget = self.replay.budget
        remaining = None if budget is None else budget - self.counts.spent
        remaining = self.replay.cut.get(str(number), remaining)
        trial = self._evaluated("trial", number, config, remaining)
        outcome = trial.outcome
        if self.searcher is not None:
            self.searcher.tell(number, outcome.state, outcome.values)
        self.counts.add(outcome.state, outcome.device_seconds, outcome.reason)
        self.trials.append(trial)
        if outcome.state is TrialState.COMPLETE and outcome.values:
            best = self.best.outcome.values if self.best is not None else None
            if best is None or self.metrics[0].direction.better(outcome.values[0], best[0]):
                self.best = trial

    def _finals(self) -> None:
        """Of the winner's fresh-seed values, the first ones: each seed once, as many as there are."""
        if self.best is None or not self.replay.finals:
            return
        config = self.best.config
        count = min(self.replay.finals, len(self.evaluator.fresh(config)))
        self.trials += [self._evaluated("final", number, config, None) for number in range(count)]

    def _evaluated(self, kind: str, number: int, config: Config, remaining: float | None) -> Replayed:
        final = kind == "final"
        seed = number if final else derive_seed(self.replay.seed, kind, number)
        job = replace(self.job, config=config, seed=seed, remaining=remaining, final=final)
        self._reports = []
        started = self._last
        context = TrialContext(job, self, None, self.space, self.evaluator, "cpu")
        outcome = evaluate(job, self.evaluator, context)
        self._last = max(time.time(), started + TICK)
        return Replayed(kind, number, config, seed, outcome, self._reports, started, self._last)
