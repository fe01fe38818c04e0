"""A search's budget, failures, retries and winner, on a real ledger, with outcomes told by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl.campaign.live import LiveSearch
from automl.campaign.settings import SearchSettings
from automl.contracts import Direction, Job, Metric, Outcome, PluginSpec, Report, TrialState
from automl.ledger import Ledger
from automl.space import Float, Space
from automl.stopping import FAILURES_IN_A_ROW
from automl.strategies.searcher import Searcher

LOSS = [Metric("loss", Direction.MINIMIZE)]
SPACE = Space({"x": Float(0.0, 1.0)})


class Bench:
    """A search on a ledger, and what a test does to it."""

    def __init__(self, ledger: Ledger, **limits: object) -> None:
        self.ledger = ledger
        self.settings = SearchSettings(
            metrics=LOSS,
            space={"name": "unused"},
            task={"dataset": None},
            evaluator=PluginSpec("function"),
            protocol=PluginSpec("network"),
            import_path=[],
            cpus=1,
            gpus=0,
            deadline=60,
            final_deadline=90,
            **{"finals": 0, "workdir": Path("work"), **limits},  # type: ignore[arg-type]
        )
        self.campaign = ledger.latest("s") or ledger.create_campaign("s", {}, "d", {})
        self.search = self.make()

    def make(self) -> LiveSearch:
        row = self.ledger.add_search(self.campaign.id, "arm", 0)
        fixed = self.settings.fixed is not None
        searcher = None if fixed else Searcher.build(SPACE, PluginSpec("random"), PluginSpec("none"), LOSS, 0)
        made = LiveSearch(row, self.settings, self.ledger, searcher)
        trials = self.ledger.trials(search=row.id)
        made.restore(trials, self.ledger.reports(search=row.id))
        return made

    def take(self) -> Job:
        job = self.search.propose()
        assert job is not None
        return job

    def end(self, job: Job, value: float | None, cost: float = 1.0, **more: object) -> None:
        state = TrialState.FAILED if value is None else TrialState.COMPLETE
        values = None if value is None else [value]
        self.search.finish(job.trial, job.token, Outcome(state, cost, values=values, **more))  # type: ignore[arg-type]

    @property
    def reason(self) -> str:
        return self.ledger.searches(self.campaign.id)[0].reason or ""


def test_a_trial_budget_counts_every_trial_and_the_best_one_wins(ledger: Ledger) -> None:
    bench = Bench(ledger, trials=3)
    for value in (3.0, None, 2.0):
        bench.end(bench.take(), value)
    assert bench.search.propose() is None
    assert bench.search.idle
    assert bench.reason == "budget: 3 trials"
    assert ledger.searches("s-1")[0].winner == "s-1/arm/0/2"


def test_a_driver_that_is_killed_while_it_keeps_the_first_report_leaves_what_was_used(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(ledger, trials=3)
    job = bench.take()
    seen: list[float] = []

    def away(trial: str, token: str, report: Report) -> bool:
        seen.append(bench.search.alive()[job.token])
        return True

    monkeypatch.setattr(ledger, "report", away)
    bench.search.report(job.trial, job.token, Report(1, 0.5, 6.0, {}))
    assert seen[0] >= 6.0, "its last signs are noted from this while the ledger does not answer"


def test_open_trials_count_at_their_expected_cost(ledger: Ledger) -> None:
    bench = Bench(ledger, budget=10.0)
    bench.end(bench.take(), 1.0, cost=4.0)
    first = bench.take()
    assert first.remaining == pytest.approx(6.0)
    assert bench.search.pressure == pytest.approx(8.0)
    second = bench.take()
    assert second.remaining == pytest.approx(2.0), "one trial does not say that none costs less than 4"
    assert bench.search.propose() is None, "both are expected to use the rest"
    bench.end(first, 2.0, cost=4.5)
    assert bench.search.propose() is None and not bench.search.idle
    bench.end(second, 2.0, cost=1.5)
    assert bench.search.propose() is None and bench.search.idle
    assert bench.reason.startswith("budget: 10.0 of 10 device-seconds")


def test_a_report_past_the_budget_ends_the_trial_and_final_ones_are_free(ledger: Ledger) -> None:
    bench = Bench(ledger, budget=10.0, finals=1)
    bench.end(bench.take(), 1.0, cost=10.0)
    assert bench.search.propose() is None
    final = bench.search.propose_final()
    assert final is not None
    assert (final.final, final.remaining, final.trial) == (True, None, "s-1/arm/0/final-0")
    assert bench.search.report(final.trial, final.token, Report(1, 0.5, 100.0)) is None

    other = Bench(ledger, budget=10.0)
    other.campaign = ledger.create_campaign("s", {}, "d", {})
    other.search = other.make()
    job = other.take()
    assert job.needs_value
    assert other.search.report(job.trial, job.token, Report(1, 0.5, 10.9)) is None, "its first value may come"
    reason = other.search.report(job.trial, job.token, Report(2, 0.5, 11.1))
    assert reason is not None
    assert reason.startswith("budget")


def test_a_search_that_has_a_value_ends_at_its_budget(ledger: Ledger) -> None:
    bench = Bench(ledger, budget=10.0)
    bench.end(bench.take(), 1.0, cost=4.0)
    job = bench.take()
    assert not job.needs_value
    reason = bench.search.report(job.trial, job.token, Report(1, 0.5, 6.1))
    assert reason is not None and reason.startswith("budget")


def test_metrics_without_a_value_prune_nothing_but_the_budget_holds(ledger: Ledger) -> None:
    bench = Bench(ledger, budget=10.0)
    job = bench.take()
    assert bench.search.report(job.trial, job.token, Report(1, None, 1.0, {"skips": 6.0})) is None
    assert bench.search.report(job.trial, job.token, Report(2, 0.5, 2.0)) is None
    again = bench.make()  # what was told survives a restart
    assert again.propose() is not None
    (kept,) = ledger.reports(search=bench.search.row.id).values()
    assert [(report.value, report.metrics) for report in kept] == [(None, {"skips": 6.0}), (0.5, {})]
    other = Bench(ledger, budget=10.0)
    other.campaign = ledger.create_campaign("s", {}, "d", {})
    other.search = other.make()
    job = other.take()
    reason = other.search.report(job.trial, job.token, Report(1, None, 11.1))
    assert reason is not None and reason.startswith("budget")


def test_failures_in_a_row_stop_the_search(ledger: Ledger) -> None:
    bench = Bench(ledger, trials=100)
    for _ in range(FAILURES_IN_A_ROW - 1):
        bench.end(bench.take(), None, reason="ZeroDivisionError")
    bench.end(bench.take(), 1.0)
    for _ in range(FAILURES_IN_A_ROW):
        bench.end(bench.take(), None, reason="ZeroDivisionError")
    assert bench.search.propose() is None
    assert bench.reason == "failures: 5 trials in a row failed; the last: ZeroDivisionError"
    assert bench.search.best is not None


def test_a_lost_worker_is_retried_once_and_pays(ledger: Ledger) -> None:
    bench = Bench(ledger, trials=1)
    job = bench.take()
    bench.search.report(job.trial, job.token, Report(1, 1.0, 7.0))
    bench.search.lost(job.trial, job.token, "its worker died")
    again = bench.take()
    assert (again.trial, again.attempt, again.token != job.token) == (job.trial, 2, True)
    assert (
        bench.search.report(job.trial, job.token, Report(2, 1.0, 8.0)) is not None or job.token == again.token
    )
    bench.search.lost(again.trial, again.token, "its worker died")
    row = ledger.trial(job.trial)
    assert row is not None
    assert (row.state, row.reason) == (TrialState.FAILED, "its worker died in attempt 2, the last one")
    assert row.device_seconds >= 7.0
    assert bench.search.idle


def test_a_restored_search_is_the_search_it_was(ledger: Ledger) -> None:
    bench = Bench(ledger, budget=100.0, finals=2)
    for value in (3.0, 1.0, 2.0):
        bench.end(bench.take(), value, cost=5.0)
    interrupted = bench.take()
    bench.search.report(interrupted.trial, interrupted.token, Report(1, 1.0, 2.5))
    before = bench.search.counts

    bench.search = bench.make()
    counts = bench.search.counts
    assert (counts.complete, counts.spent, counts.cheapest) == (before.complete, 15.0 + 2.5, 5.0)
    assert bench.search.best is not None
    assert bench.search.best.trial.endswith("/1")
    again = bench.take()
    assert (again.trial, again.attempt, again.config) == (interrupted.trial, 2, interrupted.config)
    assert again.remaining == pytest.approx(100.0 - 17.5)
    bench.end(again, 0.5, cost=1.0)
    row = ledger.trial(again.trial)
    assert row is not None
    assert row.device_seconds == pytest.approx(3.5)
    following = bench.take()
    assert following.trial.endswith("/4")


def test_a_genotype_is_retrained_by_the_protocol(ledger: Ledger) -> None:
    bench = Bench(ledger, budget=10.0, finals=1, fixed={})
    job = bench.take()
    assert job.config == {}
    bench.end(job, 0.3, derived={"x": 0.25})
    final = bench.search.propose_final()
    assert final is not None
    assert (final.config, final.evaluator.name, final.deadline) == ({"x": 0.25}, "network", 90)
    assert bench.search.propose_final() is None
    assert not bench.search.idle
    bench.end(final, 0.31)
    assert bench.search.idle


def test_without_a_complete_trial_there_is_no_winner_and_no_retraining(ledger: Ledger) -> None:
    bench = Bench(ledger, trials=1, finals=3)
    bench.end(bench.take(), None, reason="out of memory")
    assert bench.search.propose_final() is None
    assert bench.search.idle
    assert ledger.searches("s-1")[0].winner is None
