"""How long attempts may go on, and that a trial which the budget cuts off is no failure."""

from __future__ import annotations

import pytest
from search_examples import attempt_row, settings

from automl.campaign.allowance import Allowance
from automl.campaign.attempts import OpenTrial, OpenTrials
from automl.contracts import Outcome, TrialState
from automl.stopping import Counts

BUDGET = "budget: the search has used its device-seconds"


def allowance(spent: float = 0.0, *, has_value: bool = True, **changes: object) -> Allowance:
    """Of a search with 100 device-seconds whose trials hold two devices."""
    given = settings(deadline=1000.0, **changes)
    return Allowance(given, Counts(spent=spent), OpenTrials(given.devices), has_value=has_value)


def opened(of: Allowance, number: int = 0, kind: str = "trial", deadline: float = 1000.0) -> OpenTrial:
    return of.open.add(attempt_row(number, kind), deadline)


def test_a_silent_trial_may_use_what_is_left_of_the_budget() -> None:
    search = allowance(spent=60.0)
    attempt = opened(search)
    assert search.time_left(attempt, 0.0) == pytest.approx(40.0 / 2)
    assert search.time_left(attempt, 30.0) == pytest.approx(10.0 / 2)
    assert not attempt.cut
    assert search.time_left(attempt, 40.0) == pytest.approx(0.0)
    assert attempt.cut == BUDGET


def test_open_trials_use_the_rest_together() -> None:
    search = allowance(spent=60.0)
    one, other = opened(search, 0), opened(search, 1)
    assert search.time_left(other, 10.0) == pytest.approx(30.0 / 4)
    assert search.time_left(one, 10.0) == pytest.approx(20.0 / 4)


@pytest.mark.parametrize(("early", "overrun"), [(False, 1.1), (True, 2.0)])
def test_a_first_value_may_come_late(early: bool, overrun: float) -> None:
    search = allowance(has_value=False, returns_early=early)
    attempt = opened(search)
    assert search.time_left(attempt, 0.0) == pytest.approx(overrun * 100.0 / 2)
    attempt.tell(111.0)
    assert search.at_report(attempt) == BUDGET, "one that reports is ended as before"


def test_its_own_deadline_ends_a_trial_as_failed_and_the_budget_as_pruned() -> None:
    search = allowance(spent=60.0)
    attempt = opened(search, deadline=5.0)
    late = Outcome(TrialState.FAILED, 10.0, reason="deadline: the trial took longer than 5 s")
    assert search.ended(attempt, late) == late
    attempt.deadline = 1000.0
    assert search.ended(attempt, late).state is TrialState.PRUNED
    assert search.ended(attempt, late).reason == BUDGET
    other = Outcome(TrialState.FAILED, 10.0, reason="ValueError")
    assert search.ended(attempt, other) == other


def test_retrainings_and_simulated_trials_have_their_own_deadline_only() -> None:
    search = allowance(spent=99.0)
    final = opened(search, kind="final", deadline=80.0)
    assert search.time_left(final, 100.0) == pytest.approx(30.0)
    assert search.at_report(final) is None
    simulated = allowance(spent=99.0, simulated=True)
    assert simulated.time_left(opened(simulated, deadline=80.0), 0.0) == 80.0


def test_a_search_without_a_budget_has_the_evaluators_deadline() -> None:
    search = allowance(spent=99.0, budget=None)
    attempt = opened(search, deadline=80.0)
    assert search.time_left(attempt, 20.0) == pytest.approx(70.0)
    assert search.at_report(attempt) is None


def test_seconds_on_the_clock_run_from_the_first_trial_whatever_the_trials_cost() -> None:
    search = allowance(spent=999.0, budget=None, wall_seconds=100.0)
    now = [7.0]
    search.clock.now = lambda: now[0]  # type: ignore[method-assign]
    assert search.wall_used == 0.0
    assert search.remaining == 200.0
    search.begin()
    now[0] = 67.0
    search.begin()
    attempt = opened(search)
    assert (search.wall_used, search.time_left(attempt, 50.0)) == (60.0, 40.0)
    now[0] = 107.5
    assert search.time_left(attempt, 50.0) <= 0
    assert attempt.cut == search.at_report(attempt) == "budget: the search has used its wall seconds"


def test_a_trial_without_a_value_may_use_its_share_of_the_budget() -> None:
    search = allowance(has_value=False, share=0.4)
    attempt = opened(search)
    assert search.time_left(attempt, 10.0) == pytest.approx((40.0 - 10.0) / 2)
    assert search.time_left(attempt, 40.0) <= 0
    assert attempt.cut == "budget: the trial reported no value within 0.4 of it (trial.share)"
    attempt.valued = True
    assert search.time_left(attempt, 40.0) == pytest.approx((110.0 - 40.0) / 2)
    late = Outcome(TrialState.FAILED, 40.0, reason="deadline: …")
    attempt.valued = False
    assert search.ended(attempt, late).state is TrialState.PRUNED


def test_earlier_attempts_count_in_a_share_and_the_clock_has_one_too() -> None:
    search = allowance(budget=None, wall_seconds=50.0, share=0.4)
    assert search.time_left(opened(search), 10.0) == pytest.approx(20.0 - 5.0)
    assert allowance(share=1.0).time_left(opened(allowance(share=1.0)), 0.0) > 0
