"""When a search ends, and that a trial is counted and charged in one act."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from automl.contracts import TrialState
from automl.stopping import (
    BROKEN_IN_A_ROW,
    FAILURES_IN_A_ROW,
    FAILURES_OF_ONE_HOST,
    Counts,
    Standing,
    stop_reason,
)


@dataclass(frozen=True)
class Budget:
    budget: float | None = None
    trials: int | None = None
    wall_seconds: float | None = None
    least: float | None = None


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


def test_one_host_alone_ends_a_search_late_and_is_named() -> None:
    counts = Counts()
    counts.add(TrialState.COMPLETE, 1.0, host="good")
    for _ in range(FAILURES_OF_ONE_HOST - 1):
        counts.add(TrialState.FAILED, 0.0, "no module", host="bad")
        assert reason(Budget(), counts) is None
    counts.add(TrialState.FAILED, 0.0, "no module", host="bad")
    ended = reason(Budget(), counts)
    assert ended == "failures: 25 trials in a row failed, all on bad; the last: no module"
    counts.add(TrialState.FAILED, 0.0, "no module", host="good")
    assert reason(Budget(), counts) == "failures: 26 trials in a row failed; the last: no module"


def test_trials_that_were_started_count_not_those_that_ended() -> None:
    assert reason(Budget(trials=3), Counts(), started=2) is None
    assert reason(Budget(trials=3), Counts(), started=3) == "budget: 3 trials"


NO_FIT = "budget: 20.0 of 100 device-seconds; no trial fits the rest"


@pytest.mark.parametrize(("pressure", "ends"), [(99.0, True), (90.9, False), (91.1, True), (0.0, False)])
def test_a_budget_ends_it_when_no_trial_fits_the_rest(pressure: float, ends: bool) -> None:
    counts = Counts()
    for _ in range(2):
        counts.add(TrialState.COMPLETE, 10.0)
    assert reason(Budget(budget=100.0), counts, pressure=pressure) == (NO_FIT if ends else None)


def test_one_costly_trial_does_not_end_it() -> None:
    counts = Counts()
    counts.add(TrialState.COMPLETE, 13.6)
    assert reason(Budget(budget=24.0), counts) is None, "one trial does not say what others cost"
    assert reason(Budget(budget=24.0), counts, pressure=23.9) is None
    counts.add(TrialState.COMPLETE, 1.0)
    assert reason(Budget(budget=24.0), counts, pressure=23.5) is None, "costs differ much: one may fit"
    assert reason(Budget(budget=24.0), counts, pressure=23.99) is not None


@pytest.mark.parametrize(
    ("costs", "least"),
    [([5.0], 0.0), ([5.0, 5.0], 5.0), ([1.0, 4.0], 1 / 4), ([4.0, 1.0, 2.0], 1 / 2), ([], 0.0)],
)
def test_what_a_trial_costs_at_least_is_below_the_cheapest(costs: list[float], least: float) -> None:
    counts = Counts()
    for cost in costs:
        counts.add(TrialState.COMPLETE, cost)
    assert counts.least == pytest.approx(least)


def test_trials_that_were_cut_off_or_failed_do_not_say_what_one_costs() -> None:
    counts = Counts()
    for _ in range(2):
        counts.add(TrialState.COMPLETE, 10.0)
    counts.add(TrialState.PRUNED, 0.1, "budget: spent")
    counts.add(TrialState.FAILED, 0.1, "ValueError")
    assert counts.least == pytest.approx(10.0)
    counts.add(TrialState.PRUNED, 2.5, "pruned")
    assert counts.least == pytest.approx(2.5 / 2), "one that the pruner ends is a whole one"


def test_an_evaluator_that_knows_its_cheapest_trial_is_believed() -> None:
    assert reason(Budget(budget=100.0, least=30.0), Counts(), pressure=70.0) is None
    assert reason(Budget(budget=100.0, least=30.0), Counts(), pressure=73.1) is not None


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


def test_a_space_that_never_keeps_its_constraints_ends_the_search() -> None:
    counts = Counts()
    for number in range(BROKEN_IN_A_ROW):
        assert reason(Budget(), counts, started=number) is None
        counts.add(TrialState.PRUNED, 0.01, "constraint: size is 3, but must be at most 2")
    assert reason(Budget(), counts) == (
        f"constraints: {BROKEN_IN_A_ROW} trials in a row broke one; the last: constraint: size is 3, but "
        "must be at most 2"
    )
    counts.add(TrialState.PRUNED, 0.01, "pruned")
    assert reason(Budget(), counts) is None


def test_a_trial_that_broke_a_constraint_says_nothing_of_what_trials_cost() -> None:
    counts = Counts()
    for cost, why in ((5.0, ""), (4.0, ""), (0.01, "constraint: size is 3, but must be at most 2")):
        counts.add(TrialState.PRUNED if why else TrialState.COMPLETE, cost, why)
    assert counts.lowest == 4.0 and counts.least == pytest.approx(3.2)
