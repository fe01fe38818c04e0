"""Verdicts of several arms at many looks: how often they are false, and that intervals agree with them."""

from collections.abc import Iterable

import numpy as np
import pytest

from automl.contracts import Direction
from automl.report.judging import Rules, compare, compare_pairs, interval_factors
from automl.report.looks import Plan

MAX, MIN = Direction.MAXIMIZE, Direction.MINIMIZE


def by_seed(values: Iterable[float]) -> dict[int, float | None]:
    return dict(enumerate(values))


@pytest.mark.slow
def test_false_verdicts_of_a_family_stay_at_five_percent_with_looks_after_every_seed() -> None:
    # two arms that equal random in truth, 3 to 8 seeds; 400 studies: sigma = sqrt(0.05 · 0.95 / 400) = 0.011
    rng, alarms = np.random.default_rng(3), 0
    for values in rng.normal(0, 1, (400, 3, 8)):
        arms = dict(zip(["random", "a", "b"], map(by_seed, values.tolist()), strict=True))
        found = compare(arms, "random", MAX, Rules(Plan(3, 8)))
        alarms += any(verdict.verdict != "undecided" for verdict in found)
    assert alarms / 400 < 0.05 + 4 * 0.011


@pytest.mark.parametrize("plan", [None, Plan(3, 9), Plan(5)])
def test_an_interval_leaves_out_zero_if_and_only_if_its_verdict_is_decided(plan: Plan | None) -> None:
    rng, seen = np.random.default_rng(0), set()
    for values in rng.normal(0, 1, (25, 4, 9)) + np.array([0, 0.9, 1.6, 3])[:, None]:
        arms = dict(zip(["random", "a", "b", "c"], map(by_seed, values.tolist()), strict=True))
        for verdict in compare(arms, "random", MAX, Rules(plan)):
            assert verdict.paired.interval is not None
            low, high = verdict.paired.interval
            assert (low * high > 0) == (verdict.verdict != "undecided")
            seen.add(verdict.verdict)
    assert seen == {"better", "undecided"}


def test_interval_factors_by_hand() -> None:
    assert interval_factors([0.03, 0.06, 0.06], [3, 1, 2]) == [3, 2, 2]
    assert interval_factors([0.2, 0.2], [2, 1]) == [2, 2]
    assert interval_factors([0.01, 0.02], [2, 1]) == [2, 1]
    assert interval_factors([], []) == []


CLOSE = [0.001, -0.001, 0.002, -0.002, 0.0005, -0.0005, 0.001, -0.001]


@pytest.mark.parametrize(
    ("shift", "margin", "answer"),
    [(0.0, 0.01, "equivalent"), (0.0, 0.001, "undecided"), (0.004, 0.02, "better"), (0.0, None, "undecided")],
)
def test_arms_within_the_margin_are_equivalent(shift: float, margin: float | None, answer: str) -> None:
    arms = {"random": by_seed([0.5] * 8), "tpe": by_seed([0.5 + shift + value for value in CLOSE])}
    (found,) = compare(arms, "random", MAX, Rules(Plan(3, 12), margin))
    assert found.verdict == answer
    assert found.within is (None if margin is None else answer in ("equivalent", "better"))
    assert (found.more_seeds == 0) == (answer != "undecided")


@pytest.mark.slow
def test_equivalence_of_arms_at_the_margin_is_false_at_most_in_two_and_a_half_percent() -> None:
    # 600 pairs that differ by the margin exactly: sigma = sqrt(0.025 · 0.975 / 600) = 0.0064
    rng, false = np.random.default_rng(1), 0
    for values in rng.normal(1.5, 1.0, (600, 8)):
        arms = {"random": by_seed([0.0] * 8), "tpe": by_seed(values.tolist())}
        (found,) = compare(arms, "random", MAX, Rules(Plan(4, 8), 1.5))
        false += found.within is True
    assert false / 600 < 0.025 + 4 * 0.0064


def test_an_open_campaign_has_no_verdict() -> None:
    arms = {"random": by_seed([0.1, 0.2, 0.15]), "tpe": by_seed([0.5, 0.61, 0.55])}
    (found,) = compare(arms, "random", MAX, Rules(Plan(3, 3), settled=False, open=True))
    assert (found.verdict, found.p_value, found.paired.interval) == ("undecided", None, None)
    assert found.paired.awaits is not None and found.paired.n == 3


def test_a_pair_that_lost_a_seed_is_judged_when_nothing_more_comes() -> None:
    arms = {"random": by_seed([0.1, 0.2, 0.15, 0.12]), "tpe": {0: 0.5, 1: 0.61, 2: None, 3: 0.52}}
    running, ended = (
        compare(arms, "random", MAX, Rules(Plan(4, 4), settled=settled))[0] for settled in (False, True)
    )
    assert running.paired.awaits == 4 and running.verdict == "undecided"
    assert ended.verdict == "better" and ended.dropped == [2]


def test_an_arm_that_got_no_more_seeds_has_lost_none() -> None:
    arms = {"random": by_seed([0.1, 0.2, 0.15, 0.12, 0.14]), "tpe": by_seed([0.5, 0.61, 0.52])}
    assert compare(arms, "random", MAX)[0].dropped == []


def test_seeds_are_looked_at_in_the_order_that_is_given() -> None:
    first = {5: 0.0, 1: 0.0, 3: 0.0}
    second = {5: 1.0, 1: 1.1, 3: 0.9}
    (found,) = compare({"random": first, "tpe": second}, "random", MAX, Rules(Plan(2, 2)))
    assert found.seeds == [5, 1]


def test_more_seeds_of_a_plan_end_with_it() -> None:
    rng = np.random.default_rng(4)
    values = rng.normal(0.5, 1.0, 6)
    arms = {"random": by_seed([0.0] * 6), "tpe": by_seed(values.tolist())}
    short = compare(arms, "random", MAX, Rules(Plan(3, 7)))[0]
    grown = compare(arms, "random", MAX, Rules(Plan(6)))[0]
    assert (short.more_seeds, short.last) == (None, 7)
    assert grown.more_seeds is not None and grown.last is None
    assert Plan(6).weight(6 + grown.more_seeds) > 0


def test_pairs_of_all_arms_are_corrected_together() -> None:
    rng = np.random.default_rng(5)
    arms = {name: by_seed((rng.normal(0, 0.1, 6) + place).tolist()) for place, name in enumerate("abc")}
    found = compare_pairs(arms, [("c", "b"), ("c", "a"), ("b", "a")], MIN, Rules(Plan(6, 6)))
    assert [verdict.verdict for verdict in found] == ["worse"] * 3
    assert {verdict.comparisons for verdict in found} == {3}
