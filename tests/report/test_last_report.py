"""A campaign against the last one of its study, in every place that shows it."""

from __future__ import annotations

import math
from dataclasses import replace
from io import StringIO
from typing import Any

import numpy as np
import pytest
from report_examples import ACCURACY, BAD, GOOD, LOSS, RANDOM, FakeLedger, Values, campaign, fake
from rich.console import Console
from scipy import stats

from automl.contracts import Direction
from automl.ledger.rows import CampaignRow
from automl.report import collect, html, terminal
from automl.report.against import Against
from automl.report.between import difference, welch


def last(now: FakeLedger, before: FakeLedger | None) -> Against:
    now.earlier = before
    found = collect(now, now.row.id).last
    assert found is not None
    return found


def shown(now: FakeLedger, width: int = 80) -> str:
    console = Console(file=StringIO(), width=width, record=True)
    console.print(terminal(collect(now, now.row.id)))
    return console.export_text()


@pytest.mark.parametrize(("n", "m"), [(2, 2), (3, 5), (5, 3), (20, 4)])
def test_welch_agrees_with_scipy(n: int, m: int) -> None:
    rng = np.random.default_rng(n)
    a, b = rng.normal(0.9, 0.01, n), rng.normal(0.89, 0.03, m)
    theirs = stats.ttest_ind(a, b, equal_var=False)
    bounds = theirs.confidence_interval(0.95)
    mean, interval, p_value = welch(list(a), list(b))
    assert mean == pytest.approx(a.mean() - b.mean())
    assert interval == pytest.approx((bounds.low, bounds.high), rel=1e-9)
    assert p_value == pytest.approx(theirs.pvalue, rel=1e-9)


def test_values_without_spread_get_the_p_value_of_a_permutation_test() -> None:
    assert welch([0.5] * 4, [0.4] * 4) == (pytest.approx(0.1), None, pytest.approx(2 / math.comb(8, 4)))
    assert welch([0.5] * 2, [0.4] * 2)[2] == pytest.approx(1 / 3)
    assert welch([0.3, 0.1 + 0.2], [0.3, 0.3]) == (0.0, None, 1.0)
    assert welch([0.5], [0.4, 0.3]) == (pytest.approx(0.15), None, None)
    assert welch([], [0.4]) == (None, None, None)


@pytest.mark.slow
@pytest.mark.parametrize("paired", [True, False])
def test_false_answers_stay_at_five_percent(paired: bool) -> None:
    # 3,000 pairs of equal arms: sigma = sqrt(0.05 · 0.95 / 3000) = 0.004; at most 4 sigmas above
    rng = np.random.default_rng(3)
    decided = 0
    for _ in range(3000):
        a, b = (dict(enumerate(rng.normal(0.9, 0.01, 5))) for _ in range(2))
        found = difference(a, b, paired=paired)
        decided += found.answer(Direction.MAXIMIZE, 0.0, found.p_value) in ("better", "worse")
    assert 0.03 < decided / 3000 < 0.066


def test_better_worse_no_different_and_cannot_tell() -> None:
    good, bad = campaign(GOOD, 2), campaign(BAD, 3)
    worse = last(bad, good)
    assert (worse.answer, worse.data, worse.level) == ("worse", "same", "fresh")
    assert "nas-digits-3 is worse than nas-digits-2 (a regression) by 9.8 points" in worse.sentence
    assert worse.best is not None
    assert worse.best.difference.paired
    assert last(campaign(GOOD, 3), campaign(BAD, 2)).answer == "better"
    same = last(campaign(GOOD, 3), good)
    assert same.answer == "no different"
    assert "equal on all 5 seeds" in same.sentence
    flat: Values = {"random": [0.9, 0.9, 0.9]}
    constant = last(campaign(flat, 3, first=7), campaign(flat, 2))
    assert (constant.answer, "all of their values are equal" in constant.sentence) == ("no different", True)
    near: Values = {"random": GOOD["random"], "tpe": [0.949, 0.958, 0.952, 0.938, 0.947]}
    close = last(campaign(near, 3, first=10, data="a" * 64), good)
    assert (close.answer, close.within) == ("cannot tell", 0.005)
    assert close.best is not None
    assert not close.best.difference.paired
    noisy: Values = {"random": [0.9, 0.8], "tpe": [0.97, 0.85]}
    assert last(campaign(noisy, 3), good).answer == "cannot tell"


def test_a_narrow_interval_around_nothing_is_no_different() -> None:
    steady: Values = {"random": [0.9000, 0.9004, 0.8998, 0.9001]}
    found = last(campaign({"random": [0.9002, 0.8999, 0.9003, 0.9000]}, 3, first=7), campaign(steady, 2))
    assert found.answer == "no different"
    assert "means within 0.50 points count as no different" in found.sentence


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"metrics": LOSS}, "another metric: accuracy in nas-digits-2, loss in nas-digits-3"),
        ({"metrics": [{"name": "accuracy", "direction": "minimize"}]}, "another direction: maximize"),
        ({"task": {"dataset": "wine", "metrics": ACCURACY}}, "another dataset: digits in nas-digits-2, wine"),
        ({"task": {"dataset": "digits", "target": "y", "metrics": ACCURACY}}, "another target: none in"),
        ({"task": {"dataset": None, "metrics": ACCURACY}}, "another dataset: digits in nas-digits-2, none"),
        ({"task": {"dataset": "digits", "metrics": ACCURACY, "episodes": {"ways": 5}}}, "another episodes"),
    ],
)
def test_what_cannot_be_compared_has_no_number(changes: dict[str, Any], word: str) -> None:
    found = last(campaign(GOOD, 3, **changes), campaign(GOOD, 2))
    assert (found.answer, found.best, found.arms, found.level) == ("cannot tell", None, (), None)
    assert word in found.obstacle
    assert found.obstacle in found.sentence


def test_without_a_dataset_the_evaluator_is_what_values_are_of() -> None:
    task = {"dataset": None, "metrics": LOSS}
    function = {"name": "function", "options": {"call": "code:one"}}
    other = {"name": "function", "options": {"call": "code:two"}}
    before = campaign(GOOD, 2, task=task, evaluator=function, data=None)
    assert (
        "another evaluator" in last(campaign(GOOD, 3, task=task, evaluator=other, data=None), before).obstacle
    )
    same = last(campaign(GOOD, 3, task=task, evaluator=function, data=None), before)
    assert (same.answer, same.data) == ("no different", "same")
    changed = campaign(GOOD, 3, task=task, evaluator=function, data=None)
    changed.row = replace(changed.row, provenance={"identity": {"code": {"code.py": "b" * 64}}})
    found = last(changed, before)
    assert (found.data, found.notes) == ("other", ("the code changed",))
    assert found.best is not None
    assert not found.best.difference.paired


@pytest.mark.parametrize(
    ("changes", "data", "words"),
    [
        ({"data": "b" * 64}, "other", "; on other data"),
        (
            {"data": None},
            "unknown",
            "; perhaps on other data: the store has no digest of the data of nas-digits-3",
        ),
        (
            {"task": {"dataset": "digits", "metrics": ACCURACY, "split": {"seed": 1}}},
            "other",
            "; measured otherwise: the split of the data changed",
        ),
    ],
)
def test_changed_data_are_told_and_not_paired(changes: dict[str, Any], data: str, words: str) -> None:
    found = last(campaign(BAD, 3, **changes), campaign(GOOD, 2))
    assert (found.answer, found.data) == ("worse", data)
    assert found.sentence.endswith(words)
    assert "Welch's test, 5 against 5 seeds" in found.sentence
    assert found.best is not None
    assert not found.best.difference.paired


def test_a_folder_that_moved_is_no_other_dataset() -> None:
    tasks = [{"dataset": f"/{place}/houses.csv", "metrics": ACCURACY} for place in ("home", "srv")]
    found = last(campaign(GOOD, 3, task=tasks[0]), campaign(GOOD, 2, task=tasks[1]))
    assert found.obstacle == ""
    assert found.data == "same"


def test_other_seeds_are_not_paired_and_missing_values_are_told() -> None:
    assert "Welch" in last(campaign(GOOD, 3, first=5), campaign(GOOD, 2)).sentence
    assert "Welch" in last(campaign(GOOD, 3), campaign({arm: GOOD[arm][:3] for arm in GOOD}, 2)).sentence
    holes: Values = {"random": [None, 0.91, 0.92, 0.91, 0.90], "tpe": [0.95, 0.96, None, 0.94, 0.95]}
    found = last(campaign(holes, 3), campaign(GOOD, 2))
    assert "left out without a value: seed 2" in found.sentence
    by_arm = {arm.arm: arm.difference for arm in found.arms}
    assert by_arm["random"].dropped == (0,)
    assert by_arm["random"].seeds == (1, 2, 3, 4)


def test_one_seed_nothing_and_no_retrainings() -> None:
    one: Values = {"random": [0.9], "tpe": [0.95]}
    assert "one seed gives no interval" in last(campaign(one, 3), campaign(one, 2)).sentence
    empty = fake({"random": RANDOM}, number=2, seeds=[0])
    empty.search("random", 0)
    assert "nas-digits-2 found nothing" in last(campaign(GOOD, 3), empty).sentence
    unfinished = last(campaign(GOOD, 3, fresh=False), campaign(GOOD, 2))
    assert unfinished.level == "validation"


def test_arms_that_are_new_or_gone_are_told_and_the_others_corrected_together() -> None:
    now: Values = {"random": BAD["random"], "cmaes": GOOD["tpe"]}
    found = last(campaign(now, 3), campaign(GOOD, 2))
    assert (found.added, found.removed) == (("cmaes",), ("tpe",))
    assert [arm.arm for arm in found.arms] == ["random"]
    assert found.best is not None
    assert (found.best.arm, found.best.against) == ("cmaes", "tpe")
    assert not found.best.difference.paired  # other arms have nothing in common but a number
    both = last(campaign(BAD, 3), campaign(GOOD, 2))
    singles = [arm.difference.p_value for arm in both.arms]
    assert None not in singles
    assert max(arm.p_value or 0 for arm in both.arms) == pytest.approx(
        max(max(p or 0 for p in singles), 2 * min(p or 1 for p in singles))
    )


def test_a_minimised_metric_is_worse_when_it_grows() -> None:
    before: Values = {"random": [10.0, 11.0, 10.5, 10.2]}
    found = last(
        campaign({"random": [20.0, 21.0, 20.4, 20.1]}, 3, metrics=LOSS), campaign(before, 2, metrics=LOSS)
    )
    assert found.answer == "worse"
    assert "by 9.9" in found.sentence or "by 10" in found.sentence
    assert (
        "95 % interval" not in found.sentence or "−" not in found.sentence.split("interval")[1].split(",")[0]
    )


def test_it_is_in_the_terminal_the_page_and_the_json() -> None:
    now = campaign(BAD, 3, data="b" * 64)
    now.earlier = campaign(GOOD, 2)
    for width in (60, 80, 140):
        text = " ".join(shown(now, width).split())
        assert "Against the last campaign:" in text
        assert "(a regression)" in text
        assert max(map(len, shown(now, width).splitlines())) <= width
    page = html(collect(now, now.row.id))
    assert "<h2>Against the last campaign</h2>" in page
    assert "on other data." in page
    data: Any = collect(now, now.row.id).to_json()["last"]
    assert (data["answer"], data["against"], data["data"]) == ("worse", "nas-digits-2", "other")
    assert data["best"]["difference"]["paired"] is False


def test_without_an_earlier_campaign_or_an_end_nothing_is_said() -> None:
    now = campaign(GOOD, 3)
    assert collect(now, now.row.id).last is None
    assert "last" not in collect(now, now.row.id).to_json()
    assert "last campaign" not in shown(now)
    running = campaign(GOOD, 3, state="running")
    running.earlier = campaign(GOOD, 2)
    assert collect(running, running.row.id).last is None


def test_a_damaged_earlier_campaign_costs_no_report() -> None:
    now = campaign(GOOD, 3)
    before = campaign(GOOD, 2)
    broken: dict[str, Any] = {**before.row.spec, "task": {"dataset": "digits"}}
    before.row = CampaignRow(**{**vars(before.row), "spec": broken})
    found = last(now, before)
    assert "cannot be compared with nas-digits-2: the ledger is damaged" in found.sentence
    assert found.answer == "cannot tell"
