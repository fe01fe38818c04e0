"""When a search ends, and that a trial is counted and charged in one act."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from automl.contracts import TrialState
from automl.stopping import FAILURES_IN_A_ROW, Counts, Standing, stop_reason


@dataclass(frozen=True)
class Budget:
    budget: float | None = None
    trials: int | None = None
    wall_seconds: float | None = None


def reason(allowed: Budget, counts: Counts, started: int = 0, pressure: float | None = None) -> str | None:
    spent = counts.spent if pressure is None else pressure
    return stop_reason(allowed, counts, Standing(started, spent))


def test_counting_and_charging_are_one_act() -> None:
    counts = Counts()
    counts.add(TrialState.COMPLETE, 5.0)
    counts.charge(1.0)  # an attempt whose worker died
    counts.add(TrialState.COMPLETE, 4.0, charged=1.0)
    counts.add(TrialState.PRUNED, 2.0, "pruned")
    counts.add(TrialState.FAILED, 0.5, "ValueError")
    assert (counts.complete, counts.pruned, counts.failed, counts.ended) == (2, 1, 1, 4)
    assert counts.spent == 5.0 + 4.0 + 2.0 + 0.5
    assert counts.cheapest == 4.0
    assert counts.last_stop == "ValueError"


def test_a_search_without_limits_goes_on() -> None:
    assert reason(Budget(), Counts()) is None


def test_failures_in_a_row_end_it_and_one_success_begins_the_row_again() -> None:
    counts = Counts()
    for _ in range(FAILURES_IN_A_ROW - 1):
        counts.add(TrialState.FAILED, 1.0, "no such luck")
    assert reason(Budget(), counts) is None
    counts.add(TrialState.PRUNED, 1.0)
    assert counts.failed_in_a_row == 0
    for _ in range(FAILURES_IN_A_ROW):
        counts.add(TrialState.FAILED, 1.0, "no such luck")
    assert reason(Budget(), counts) == "failures: 5 trials in a row failed; the last: no such luck"


def test_trials_that_were_started_count_not_those_that_ended() -> None:
    assert reason(Budget(trials=3), Counts(), started=2) is None
    assert reason(Budget(trials=3), Counts(), started=3) == "budget: 3 trials"


@pytest.mark.parametrize(("pressure", "ends"), [(99.0, True), (90.9, False), (91.1, True), (0.0, False)])
def test_a_budget_ends_it_when_no_trial_fits_the_rest(pressure: float, ends: bool) -> None:
    counts = Counts()
    counts.add(TrialState.COMPLETE, 10.0)
    found = reason(Budget(budget=100.0), counts, pressure=pressure)
    assert found == ("budget: 10.0 of 100 device-seconds; no trial fits the rest" if ends else None)


def test_one_configuration_and_an_exhausted_strategy_end_it() -> None:
    counts = Counts()
    none = Budget()
    for single, exhausted, started in ((True, False, 0), (False, False, 9)):
        standing = Standing(started, 0.0, single=single, exhausted=exhausted)
        assert stop_reason(none, counts, standing) is None
    counts.add(TrialState.PRUNED, 1.0, "budget: spent")
    text = stop_reason(none, counts, Standing(1, 1.0, single=True))
    assert text == "complete: its one trial has ended: budget: spent"
    text = stop_reason(none, counts, Standing(1, 1.0, exhausted=True))
    assert text == "complete: the strategy has nothing left to propose"


def test_seconds_on_the_clock_end_it() -> None:
    allowed = Budget(wall_seconds=5.0)
    assert stop_reason(allowed, Counts(), Standing(3, 100.0, wall=4.9)) is None
    assert stop_reason(allowed, Counts(), Standing(3, 1.0, wall=5.0)) == "budget: 5.0 of 5 wall seconds"
