import math
from collections.abc import Iterable

import numpy as np
import pytest
from scipy import stats

from automl.contracts import Direction
from automl.report.judging import compare
from automl.report.statistics import holm, paired, seeds_needed

MAX, MIN = Direction.MAXIMIZE, Direction.MINIMIZE


def by_seed(values: Iterable[float]) -> dict[int, float]:
    return dict(enumerate(values))


@pytest.mark.parametrize("n", [2, 3, 5, 20])
def test_agrees_with_scipy(n: int) -> None:
    rng = np.random.default_rng(n)
    a, b = rng.normal(0.9, 0.01, n), rng.normal(0.89, 0.01, n)
    ours, theirs = paired(list(a - b)), stats.ttest_rel(a, b)
    interval = theirs.confidence_interval(0.95)
    assert ours.p_value == pytest.approx(theirs.pvalue, rel=1e-9)
    assert ours.interval == pytest.approx((interval.low, interval.high), rel=1e-9)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_interval_covers_the_truth(n: int) -> None:
    # 4,000 draws: sigma = sqrt(0.95 · 0.05 / 4000) = 0.0034; 4 sigmas, false failure 6e-5
    draws = np.random.default_rng(n).normal(0.3, 1.0, (4000, n))
    covered = np.mean([low <= 0.3 <= high for low, high in (paired(row).interval for row in draws)])
    assert abs(covered - 0.95) < 0.0138


@pytest.mark.slow
def test_family_wise_false_alarms_stay_at_five_percent() -> None:
    # three arms that equal random in truth, one shared baseline, 5 seeds; 1,500 studies:
    # sigma = sqrt(0.05 · 0.95 / 1500) = 0.0056; at most 0.05 + 4 sigmas, and not far below (0.04 is
    # expected: the arms share their baseline)
    rng = np.random.default_rng(0)
    alarms = 0
    for values in rng.normal(0, 1, (1500, 4, 5)):
        arms = dict(zip(["random", "a", "b", "c"], map(by_seed, values.tolist()), strict=True))
        alarms += any(verdict.verdict != "undecided" for verdict in compare(arms, "random", MAX))
    assert 0.02 < alarms / 1500 < 0.0725


@pytest.mark.parametrize("effect", [0.6, 1.0, 2.0])
def test_seeds_needed_give_the_power(effect: float) -> None:
    n = seeds_needed(effect)
    # 4,000 draws: sigma = sqrt(0.8 · 0.2 / 4000) = 0.0063; the power is 0.8 or a little more
    draws = np.random.default_rng(1).normal(effect, 1.0, (4000, n))
    found = np.mean([paired(row).p_value < 0.05 for row in draws])
    at_n, before = power(effect, n), power(effect, n - 1)
    assert before < 0.8 <= at_n
    assert abs(found - at_n) < 4 * 0.0063


def power(effect: float, n: int) -> float:
    t = stats.t.ppf(0.975, n - 1)
    reached: float = stats.nct.sf(t, n - 1, effect * math.sqrt(n)) + stats.nct.cdf(
        -t, n - 1, effect * math.sqrt(n)
    )
    return reached


@pytest.mark.parametrize(("effect", "n"), [(0.2, 199), (0.5, 34), (0.8, 15), (1.0, 10)])
def test_seeds_needed_are_the_published_ones(effect: float, n: int) -> None:
    assert seeds_needed(effect) == seeds_needed(-effect) == n


def test_hopeless_effects_need_no_number() -> None:
    assert seeds_needed(0.0) is None
    assert seeds_needed(0.01) is None


def test_huge_effects_need_two_seeds_or_three() -> None:
    assert seeds_needed(1e6) == 2
    assert seeds_needed(30.0) == 2
    assert seeds_needed(30.0, 0.005) == 3  # two seeds: t above 127 is needed


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == (pytest.approx([0.03, 0.06, 0.06]), [3, 1, 2])
    assert holm([0.9, 0.8]) == ([1.0, 1.0], [1, 2])
    assert holm([]) == ([], [])


@pytest.mark.parametrize(("direction", "verdict"), [(MAX, "better"), (MIN, "worse")])
def test_verdict_follows_the_direction(direction: Direction, verdict: str) -> None:
    arms = {"random": by_seed([0.50, 0.51, 0.49, 0.50]), "tpe": by_seed([0.60, 0.62, 0.58, 0.61])}
    (found,) = compare(arms, "random", direction)
    assert found.verdict == verdict
    assert found.more_seeds == 0
    assert found.paired.mean == pytest.approx(0.1025)


def test_the_corrected_p_decides() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 1, 6)
    close = noise - noise.mean() + 1.15 * noise.std(ddof=1)  # p about 0.035 alone
    arms = {"random": by_seed([0.0] * 6), "a": by_seed(close), "b": by_seed(noise), "c": by_seed(-noise)}
    verdict = next(found for found in compare(arms, "random", MAX) if found.arm == "a")
    assert verdict.single < 0.05 < verdict.p_value
    assert verdict.verdict == "undecided"
    assert verdict.paired.interval[0] < 0 < verdict.paired.interval[1]
    assert verdict.paired.level == pytest.approx(1 - 0.05 / 3)
    assert verdict.more_seeds > 0


def test_one_seed_gives_no_interval() -> None:
    (verdict,) = compare({"random": {0: 0.5}, "tpe": {0: 0.9}}, "random", MAX)
    assert (verdict.paired.n, verdict.paired.mean) == (1, pytest.approx(0.4))
    assert (verdict.paired.interval, verdict.p_value, verdict.more_seeds) == (None, None, None)
    assert verdict.verdict == "undecided"


def test_arms_without_a_p_value_do_not_cost_the_others() -> None:
    arms = {"random": by_seed([1.0, 2.0, 3.0]), "a": by_seed([2.0, 3.5, 4.2]), "b": {0: 9.0}}
    alone = compare({"random": arms["random"], "a": arms["a"]}, "random", MAX)[0]
    assert compare(arms, "random", MAX)[0].p_value == alone.p_value == alone.single


def test_unpaired_and_non_finite_seeds_are_dropped() -> None:
    arms = {"random": {0: 0.5, 1: 0.6, 2: math.nan, 3: 0.4}, "tpe": {1: 0.7, 2: 0.7, 3: math.inf, 4: 0.8}}
    (verdict,) = compare(arms, "random", MAX)
    assert verdict.seeds == [1]
    assert verdict.dropped == [0, 2, 3, 4]
    arms = {"random": {0: 0.5}, "tpe": {1: 0.7, 2: None}}
    assert compare(arms, "random", MAX)[0].paired.n == 0


def test_equal_values_are_undecided_without_hope() -> None:
    (verdict,) = compare({"random": by_seed([0.9] * 4), "tpe": by_seed([0.9] * 4)}, "random", MAX)
    assert (verdict.p_value, verdict.paired.interval, verdict.more_seeds) == (1.0, None, None)
    assert verdict.verdict == "undecided"


@pytest.mark.parametrize(
    ("n", "verdict", "more"), [(2, "undecided", 4), (5, "undecided", 1), (6, "better", 0)]
)
def test_the_same_difference_everywhere_is_judged_by_signs(n: int, verdict: str, more: int) -> None:
    base = [0.1 * k for k in range(n)]
    arms = {"random": by_seed(base), "tpe": by_seed([value + 0.1 for value in base])}  # rounding differs
    (found,) = compare(arms, "random", MAX)
    assert found.paired.interval is None
    assert found.p_value == 2.0 ** (1 - n)
    assert (found.verdict, found.more_seeds) == (verdict, more)


def test_more_seeds_reach_a_verdict_with_the_same_spread() -> None:
    values = [0.2, -0.1, 0.3, 0.15]
    (found,) = compare({"random": by_seed([0.0] * 4), "tpe": by_seed(values)}, "random", MAX)
    assert found.verdict == "undecided"
    assert found.more_seeds == seeds_needed(np.mean(values) / np.std(values, ddof=1)) - 4
