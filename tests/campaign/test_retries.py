"""Which attempts are made again, how often and when, and that each is kept."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
from search_examples import attempt_row
from test_live import Bench

from automl.campaign.retries import Retries
from automl.config import Retry
from automl.contracts import Ending, Outcome, Report, TrialState
from automl.ledger import AttemptRow, Ledger


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic time, in a list of one."""
    now = [100.0]
    monkeypatch.setattr("automl.campaign.retries.time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def failed(error: Ending, cost: float = 1.0) -> Outcome:
    return Outcome(TrialState.FAILED, cost, reason=f"by {error}", error=error)


def attempt(number: int, ending: Ending) -> AttemptRow:
    return AttemptRow("s/0", number, f"token-{number}", ending, "", 1.0, "", 0.0, 1.0)


def test_what_may_pass_waits_longer_each_time(clock: list[float]) -> None:
    retries = Retries(Retry(transient=3, backoff=2.0))
    for wait in (2.0, 4.0, 8.0):
        retries.add(attempt_row(0), Ending.TRANSIENT, 1.0)
        clock[0] += wait - 0.1
        assert retries.next("trial") is None
        clock[0] += 0.2
        assert retries.next("trial") is not None
    assert not retries.allows("s/0", Ending.TRANSIENT, 1.0)


def test_a_new_worker_is_taken_at_once_and_kinds_are_kept_apart(clock: list[float]) -> None:
    retries = Retries(Retry())
    retries.add(attempt_row(0, kind="final"), Ending.LOST, 1.0)
    assert retries.next("trial") is None
    assert retries.next("final") is not None
    assert not retries


def test_a_trial_that_ran_out_of_its_part_of_a_gpu_is_tried_again_alone_once() -> None:
    shared, whole = Retries(Retry(), shares_gpu=True), Retries(Retry())
    assert shared.allows("s/0", Ending.OOM, 1.0) and not whole.allows("s/0", Ending.OOM, 1.0)
    assert not shared.is_alone("s/0")
    shared.add(attempt_row(0), Ending.OOM, 1.0)
    assert not shared.allows("s/0", Ending.OOM, 1.0)
    restored = Retries(Retry(oom=2), shares_gpu=True)
    restored.restore(replace(attempt_row(0), id="s/0", attempt=2), [attempt(1, Ending.OOM)])
    assert restored.is_alone("s/0"), "also after its driver was killed"
    assert restored.allows("s/0", Ending.OOM, 1.0) and not restored.is_alone("s/1")


def test_each_class_has_a_count_of_its_own() -> None:
    retries = Retries(Retry(transient=1, lost=1, oom=0, preempted=2))
    for ending in (Ending.TRANSIENT, Ending.LOST, Ending.PREEMPTED, Ending.PREEMPTED):
        assert retries.allows("s/0", ending, 1.0)
        retries.add(attempt_row(0), ending, 1.0)
    for ending in Ending:
        assert not retries.allows("s/0", ending, 1.0), ending


def test_attempts_of_earlier_drivers_count() -> None:
    retries = Retries(Retry(transient=1, lost=2, preempted=2))
    retries.restore(attempt_row(0), [])
    assert retries.allows("s/0", Ending.TRANSIENT, 1.0)
    row = replace(attempt_row(0), attempt=4)
    retries.restore(row, [attempt(1, Ending.TRANSIENT), attempt(2, Ending.LOST)])
    assert not retries.allows("s/0", Ending.TRANSIENT, 1.0)
    assert retries.allows("s/0", Ending.LOST, 1.0)
    assert retries.allows("s/0", Ending.PREEMPTED, 1.0), "one attempt was not kept by an earlier version"


def test_attempts_that_never_began_do_not_count() -> None:
    retries = Retries(Retry(preempted=1, lost=1))
    row = replace(attempt_row(0), attempt=9)
    retries.restore(row, [replace(attempt(n, Ending.PREEMPTED), device_seconds=0.0) for n in range(1, 9)])
    for _ in range(5):
        assert retries.allows("s/0", Ending.PREEMPTED, 0.0)
        retries.add(attempt_row(0), Ending.PREEMPTED, 0.0)
    retries.add(attempt_row(0), Ending.PREEMPTED, 0.1)
    assert not retries.allows("s/0", Ending.PREEMPTED, 0.1)
    retries.add(attempt_row(0), Ending.LOST, 0.0)
    assert not retries.allows("s/0", Ending.LOST, 0.0), "a worker that dies while it loads does so again"


def test_a_trial_is_tried_again_after_what_may_pass_and_every_attempt_is_kept(ledger: Ledger) -> None:
    bench = Bench(ledger, trials=1, retry=Retry(transient=2, oom=1, backoff=0.0))
    for cost, error in ((1.0, Ending.TRANSIENT), (2.0, Ending.OOM), (4.0, Ending.TRANSIENT)):
        job = bench.take()
        bench.search.finish(job.trial, job.token, failed(error, cost))
    last = bench.take()
    assert last.attempt == 4
    bench.search.finish(last.trial, last.token, Outcome(TrialState.COMPLETE, 8.0, values=[0.5], host="here"))
    row = ledger.trial(last.trial)
    assert row is not None and (row.state, row.device_seconds) == (TrialState.COMPLETE, 15.0)
    (attempts,) = ledger.attempts(bench.campaign.id).values()
    assert [(a.attempt, a.ending, a.device_seconds) for a in attempts] == [
        (1, Ending.TRANSIENT, 1.0),
        (2, Ending.OOM, 2.0),
        (3, Ending.TRANSIENT, 4.0),
        (4, Ending.COMPLETE, 8.0),
    ]
    assert (attempts[0].reason, attempts[3].host) == ("by transient", "here")
    assert bench.search.counts.spent == 15.0
    assert bench.search.idle


@pytest.mark.parametrize("error", [Ending.EXCEPTION, Ending.BUG, Ending.NAN, Ending.OOM])
def test_what_comes_again_is_not_tried_again(ledger: Ledger, error: Ending) -> None:
    bench = Bench(ledger, trials=1)
    job = bench.take()
    bench.search.finish(job.trial, job.token, failed(error))
    assert bench.search.idle
    (attempts,) = ledger.attempts(bench.campaign.id).values()
    assert [a.ending for a in attempts] == [error]


def test_a_trial_whose_machine_was_taken_away_twice_is_not_failed_for_it(ledger: Ledger) -> None:
    bench = Bench(ledger, trials=1)
    for _ in range(2):
        job = bench.take()
        bench.search.report(job.trial, job.token, Report(1, 1.0, 2.0))
        bench.search.lost(job.trial, job.token, "its node died", Ending.PREEMPTED)
    bench.end(bench.take(), 0.5)
    (attempts,) = ledger.attempts(bench.campaign.id).values()
    assert [a.ending for a in attempts] == [Ending.PREEMPTED, Ending.PREEMPTED, Ending.COMPLETE]
    assert bench.search.best is not None


def test_nothing_is_tried_again_without_a_budget_for_it(ledger: Ledger) -> None:
    bench = Bench(ledger, budget=10.0, retry=Retry(backoff=0.0))
    job = bench.take()
    bench.search.finish(job.trial, job.token, failed(Ending.TRANSIENT, 10.5))
    row = ledger.trial(job.trial)
    assert row is not None and row.state is TrialState.FAILED
    assert bench.search.propose() is None and bench.search.idle


def test_a_limit_of_the_campaign_ends_what_waits(ledger: Ledger) -> None:
    bench = Bench(ledger, trials=3, retry=Retry(backoff=60.0))
    job = bench.take()
    bench.search.finish(job.trial, job.token, failed(Ending.TRANSIENT))
    bench.search.stop("limits: the campaign has used its 9 wall seconds")
    row = ledger.trial(job.trial)
    assert row is not None
    assert (row.state, row.device_seconds) == (TrialState.FAILED, 1.0)
    assert row.reason == "not tried again: limits: the campaign has used its 9 wall seconds"
    assert bench.search.idle
