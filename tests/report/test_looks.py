"""Levels of tests that are repeated after every seed, against simulation and known numbers."""

import math
import time
from itertools import pairwise

import numpy as np
import pytest
from scipy import special

from automl.report import looks
from automl.report.looks import Plan
from automl.report.statistics import paired

DRAWS = np.random.default_rng(11).normal(size=(200_000, 20))
SUMS, SQUARES = np.cumsum(DRAWS, axis=1), np.cumsum(DRAWS**2, axis=1)


def single_p(n: int) -> np.ndarray:
    """The ordinary t-test's p-value of all draws at `n` seeds."""
    mean = SUMS[:, n - 1] / n
    error = np.sqrt((SQUARES[:, n - 1] - n * mean**2) / (n - 1) / n)
    found: np.ndarray = 2 * special.stdtr(n - 1, -np.abs(mean) / error)
    return found


def crossed(plan: Plan, x: float, until: int = 20) -> float:
    """The part of the draws that crosses at any look."""
    hits = [single_p(n) <= plan.weight(n) * x for n in plan.looks(until)]
    return float(np.any(hits, axis=0).mean())


@pytest.mark.parametrize("plan", [Plan(3, 20), Plan(2, 6), Plan(5, 12), Plan(19, 20)])
@pytest.mark.parametrize("alpha", [0.05, 0.0125])
def test_a_plan_decides_falsely_as_often_as_it_says(plan: Plan, alpha: float) -> None:
    # 200,000 draws: sigma = sqrt(0.05 · 0.95 / 200000) = 0.0005; 4.5 sigmas
    assert abs(crossed(plan, plan.level(alpha)) - alpha) < 0.0022


@pytest.mark.slow
@pytest.mark.parametrize("first", [2, 3, 5, 10])
def test_a_campaign_that_grows_keeps_a_little_for_later_looks(first: int) -> None:
    plan = Plan(first)
    x = plan.level(0.05)
    far = 2 * looks.FAR * x
    assert abs(crossed(plan, x) + far - 0.05) < 0.0022  # up to 20 seeds, and the bound of all looks beyond
    assert x > {2: 0.017, 3: 0.023, 5: 0.032, 10: 0.044}[first]  # of 0.05 at the look that was planned
    assert sum(plan.weight(n) for n in plan.looks(10**6)[-12:]) < 2 * looks.FAR


@pytest.mark.slow
def test_looking_after_every_seed_at_five_percent_is_false_in_23_percent() -> None:
    """The known cost of repeated tests: each look from 3 to 20 with the whole weight."""
    naive = np.any([single_p(n) <= 0.05 for n in range(3, 21)], axis=0).mean()
    plan = Plan(3, 20)
    object.__setattr__(plan, "weight", lambda n: 1.0)
    assert plan.p_value(0.05) == pytest.approx(naive, abs=0.004)
    assert plan.p_value(0.05) == pytest.approx(0.2298, abs=0.0005)


@pytest.mark.slow
def test_more_points_change_no_level(monkeypatch: pytest.MonkeyPatch) -> None:
    plans = [Plan(3, 20), Plan(3), Plan(2, 40)]
    coarse = [plan.level(alpha) for plan in plans for alpha in (0.05, 0.01)]
    monkeypatch.setattr(looks, "POINTS", 120)
    monkeypatch.setattr(looks, "NODES", 60)
    looks._level.cache_clear()
    looks._crossing.cache_clear()
    fine = [plan.level(alpha) for plan in plans for alpha in (0.05, 0.01)]
    looks._level.cache_clear()
    looks._crossing.cache_clear()
    assert coarse == pytest.approx(fine, rel=2e-3)


@pytest.mark.parametrize("plan", [Plan(3, 20), Plan(3), Plan(4, 4)])
def test_the_p_value_rises_from_0_to_1_with_the_statistic(plan: Plan) -> None:
    at = [plan.p_value(x) for x in (0.0, 1e-9, 1e-4, 0.01, 0.2, 0.9, 1.0, 5.0)]
    assert at == pytest.approx(sorted(at)) and at[0] == 0 and at[-1] == pytest.approx(1)
    assert plan.p_value(plan.level(0.03)) == pytest.approx(0.03, rel=1e-4)


def test_one_look_is_the_ordinary_test() -> None:
    plan = Plan(5, 5)
    assert plan.level(0.05) == 0.05
    assert plan.p_value(0.02) == 0.02
    assert plan.looks(9) == [5]


def test_looks_of_a_plan_without_end_double_after_a_while() -> None:
    assert Plan(5).looks(200) == [*range(5, 21), 40, 80, 160]
    assert Plan(15).looks(70) == [*range(15, 31), 60]
    weights = [Plan(5).weight(n) for n in (4, 5, 6, 20, 21, 40, 80)]
    assert weights == pytest.approx([0, 1, 0.06, 0.2, 0, 0.02, 0.01])
    assert Plan(3, 20).weight(20) == 1 and Plan(3, 20).weight(21) == 0


def test_a_pair_that_lost_seeds_is_judged_by_the_others() -> None:
    assert Plan(5, 5).of_fewer(4) == Plan(4, 4)
    assert Plan(5).of_fewer(3) == Plan(3)
    assert Plan(3, 20).of_fewer(7) == Plan(3, 20)
    assert Plan(3, 20).of_fewer(1) == Plan(3, 20)


@pytest.mark.slow
def test_the_interval_holds_the_truth_at_every_look_and_agrees_with_the_p_value() -> None:
    # 80 campaigns: at most 0.05 + 4 sigmas
    plan, missed = Plan(3, 12), 0
    for row in np.random.default_rng(5).normal(0.7, 1.0, (80, 12)):
        intervals = []
        for n in (3, 7, 12):
            found = paired(row[:n].tolist(), plan)
            assert found.interval is not None and found.p_value is not None
            low, high = found.interval
            assert (low > 0 or high < 0) == (found.p_value < 0.05)
            intervals.append((low, high))
        assert all(b[0] >= a[0] and b[1] <= a[1] for a, b in pairwise(intervals))
        missed += not intervals[-1][0] <= 0.7 <= intervals[-1][1]
    assert missed / 80 < 0.05 + 4 * math.sqrt(0.05 * 0.95 / 80)


def test_a_verdict_once_taken_stays() -> None:
    plan = Plan(3, 20)
    early = [1.0, 1.01, 0.99, 1.0, 1.02, 0.98, 1.0]
    assert paired(early, plan).p_value < 0.05  # type: ignore[operator]
    later = paired([*early, -3.0, 4.0, -5.0, 6.0], plan)
    assert later.p_value == paired(early, plan).p_value
    assert later.interval is not None and later.interval[0] > 0


def test_seeds_beyond_the_end_of_a_plan_do_not_count() -> None:
    values = [0.4, 0.1, 0.3, 0.2]
    assert paired([*values, -9.0], Plan(4, 4)) == paired(values)


def test_before_the_first_look_there_is_no_verdict() -> None:
    found = paired([1.0, 1.1], Plan(5))
    assert (found.n, found.awaits, found.p_value, found.interval) == (2, 5, None, None)


def test_levels_are_found_quickly() -> None:
    looks._level.cache_clear()
    looks._crossing.cache_clear()
    began = time.process_time()
    for alpha in (0.05, 0.025, 0.05 / 3):
        Plan(3, 20).level(alpha)
    assert time.process_time() - began < 1.0  # about 0.1 s on a machine without other work
