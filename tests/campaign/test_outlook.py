"""What a winner still costs: by its trial, then by its retraining, also after a restart."""

from __future__ import annotations

import pytest
from test_live import Bench

from automl.campaign.outlook import NOTHING, Outlook, ending
from automl.contracts import Report
from automl.ledger import Ledger


def test_a_winner_costs_what_a_fold_of_it_did_until_it_was_retrained(ledger: Ledger) -> None:
    bench = Bench(ledger, trials=1, finals=2, cross_validates=True)
    assert bench.search.outlook == NOTHING
    job = bench.take()
    for step in range(1, 6):
        bench.search.report(job.trial, job.token, Report(step, 0.5, 2.0 * step))
    bench.end(job, 0.5, cost=10.0)
    found = bench.search.outlook
    assert (found.fit, found.missing, found.score) == (3.0, 2, pytest.approx(1.8)), (
        "half more than one of five folds"
    )
    assert found.seconds == pytest.approx(7.8) and bench.make().outlook == found, "from the ledger, too"
    assert bench.search.propose() is None
    final = bench.search.propose_final()
    assert final is not None
    bench.end(final, 0.4, cost=4.0)
    found = bench.search.outlook
    assert (found.fit, found.missing, found.score) == (4.0, 1, pytest.approx(2.4)), "as the retraining did"
    assert bench.make().outlook == found


def test_a_trial_without_folds_costs_as_much_again(ledger: Ledger) -> None:
    bench = Bench(ledger, trials=1, finals=1)
    job = bench.take()
    bench.search.report(job.trial, job.token, Report(8, 0.5, 4.0))
    bench.end(job, 0.5, cost=5.0)
    assert (bench.search.outlook.seconds, bench.search.outlook.score) == (5.0, 0.0)


def test_members_of_an_ensemble_cost_what_their_folds_did(ledger: Ledger) -> None:
    bench = Bench(ledger, trials=3, finals=1, cross_validates=True, combined=9)
    for value, cost in ((0.5, 10.0), (0.6, 20.0), (0.7, 30.0)):
        job = bench.take()
        bench.search.report(job.trial, job.token, Report(5, value, cost))
        bench.end(job, value, cost=cost)
    found = bench.search.outlook
    assert (found.fit, found.score) == (3.0, pytest.approx(0.9))
    assert found.members == (20 + 30) / 5 * 1.5 and found.seconds == pytest.approx(3.9)
    assert (found.within(1000.0), found.within(50.0)) == (pytest.approx(18.9), pytest.approx(11.4))
    assert bench.search.propose() is None
    final = bench.search.propose_final()
    assert final is not None
    bench.end(final, 0.4, cost=14.0)
    found = bench.search.outlook
    assert (found.fit, found.members) == (14.0, 0.0)
    assert found.score == pytest.approx(0.9), "the test is not left out for what the members have cost"


def test_the_start_of_a_worker_is_kept_too(ledger: Ledger, clock: list[float]) -> None:
    bench = Bench(ledger, trials=1, finals=1)
    job = bench.take()
    clock[0] += 7.0
    bench.search.report(job.trial, job.token, Report(1, 0.5, 3.0))
    bench.end(job, 0.5, cost=3.0)
    assert (bench.search.outlook.start, bench.search.outlook.score) == (4.0, 2.0)


def test_retrainings_run_side_by_side_and_tests_one_after_another() -> None:
    two = [Outlook(fit=4.0, missing=1, score=1.0), Outlook(fit=2.0, missing=1, score=1.0)]
    assert ending(two, at_once=1, reading=0.5, wall=100.0) == 6.0 + 3.0
    assert ending(two, at_once=2, reading=0.5, wall=100.0) == 4.0 + 3.0, "the longer one"
    again = two[0]._replace(refit=2.0)
    assert again.refitted(100.0) == pytest.approx(1.3 * 2.0 * 4.0)
    assert ending([again, two[1]], at_once=2, reading=0.5, wall=100.0) == pytest.approx(7.0 + 10.4), "at last"
    with_members = again._replace(members=50.0)
    more = with_members.within(100.0) + with_members.refitted(100.0) - again.seconds - again.refitted(100.0)
    assert more == pytest.approx(15.0), "members take 15 % of the time at most, fitted on all rows too"
    assert ending(two[:1], at_once=8, reading=0.5, wall=100.0) == 5.5
