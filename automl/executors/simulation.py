"""A whole search in memory, trial after trial on a simulated clock, with the results of a live search.

The same searcher, pruner and rules of ending as live; only the clock is the benchmark's.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cached_property

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
    digest,
)
from automl.executors.outcomes import evaluate
from automl.executors.trial import TrialContext
from automl.selection import AFTER, AGAIN, FINAL, placed, selected, shares
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


@dataclass(frozen=True)
class _Complete:
    """A complete trial that may win."""

    value: float
    config: Config

    @cached_property
    def key(self) -> str:
        """The digest of the configuration."""
        return digest(self.config)


class _Simulation:
    """One search. It is the channel of its own trials."""

    def __init__(self, job: Job, replay: Replay, evaluator: Tabular) -> None:
        self.job, self.replay, self.evaluator = job, replay, evaluator
        self.space = load_space(job.space)
        context = TrialContext(job, self, None, self.space, evaluator, "cpu")
        self.metrics: list[Metric] = context.metrics
        self.searcher = (
            Searcher.build(self.space, replay.strategy, replay.pruner, self.metrics, replay.seed)
            .with_constraints(context.constraints)
            .with_memory(replay.memory)
            .with_default()
            if replay.strategy is not None
            else None
        )
        self.counts = Counts()
        self.trials: list[Replayed] = []
        self.leaders: list[_Complete] = []  # the best of distinct configurations
        self._reports: list[Report] = []
        self._late = time.monotonic() + job.deadline
        self._last = time.time()

    def run(self) -> Outcome:
        """All trials, then the fresh-seed values that select the winner, then those of the winner."""
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
            self.searcher.tell(number, outcome.state, outcome.values, outcome.metrics)
        self.counts.add(outcome.state, outcome.device_seconds, outcome.reason)
        self.trials.append(trial)
        if outcome.state is TrialState.COMPLETE and outcome.values:
            one = _Complete(outcome.values[0], config)
            self.leaders = placed(self.leaders, one, self.replay.top, self.metrics[0].direction)

    def _finals(self) -> None:
        """Of the winner's fresh-seed values, the first ones: each seed once, as many as there are.

        Where several may win, the last ones of each select.
        """
        if not self.leaders or not self.replay.finals:
            return
        again: dict[str, list[float]] = {}
        if len(self.leaders) > 1:
            for leader in self.leaders:
                again[leader.key] = self._again(leader.config)
        config = selected(self.leaders, again, self.metrics[0].direction).config
        count = len(self.evaluator.fresh(config))
        count = min(self.replay.finals, count) if self.replay.top == 1 else self._shares(config)[1]
        self.trials += [self._evaluated(FINAL, n, config, None, seed=n) for n in range(count)]

    def _again(self, config: Config) -> list[float]:
        """The values that decide whether a configuration wins."""
        last, done = len(self.evaluator.fresh(config)) - 1, sum(one.kind == AGAIN for one in self.trials)
        count = self._shares(config)[0]
        more = [self._evaluated(AGAIN, done + n, config, None, seed=last - n) for n in range(count)]
        self.trials += more
        return [one.outcome.values[0] for one in more if one.outcome.values]

    def _shares(self, config: Config) -> tuple[int, int]:
        return shares(len(self.evaluator.fresh(config)), self.replay.finals)

    def _evaluated(
        self, kind: str, number: int, config: Config, remaining: float | None, seed: int | None = None
    ) -> Replayed:
        seed = derive_seed(self.replay.seed, kind, number) if seed is None else seed
        job = replace(self.job, config=config, seed=seed, remaining=remaining, final=kind in AFTER)
        self._reports = []
        started = self._last
        context = TrialContext(job, self, None, self.space, self.evaluator, "cpu")
        outcome = evaluate(job, self.evaluator, context)
        self._last = max(time.time(), started + TICK)
        return Replayed(kind, number, config, seed, outcome, self._reports, started, self._last)
