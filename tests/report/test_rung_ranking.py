"""Kendall's tau between rungs and final values: of which trials, at which steps, and when it warns."""

import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from report_examples import ACCURACY, LOSS, RANDOM, FakeLedger, fake
from rich.console import Console
from scipy.stats import kendalltau

from automl.contracts import TrialState
from automl.report import CampaignReport, collect, html, terminal
from automl.report.rung_ranking import TITLE, PrunedArm, Rung

ID = "nas-digits-3"
ASHA = {"name": "asha", "options": {"reduction": 3}}


def campaign(
    curves: Sequence[Sequence[float]],
    pruner: dict[str, Any] = ASHA,
    seeds: Sequence[int] = (0,),
    metrics: list[dict[str, str]] = ACCURACY,
) -> FakeLedger:
    """An arm `tpe` whose complete trials have these values, step by step, dealt out to the seeds in turn."""
    tpe = {"strategy": {"name": "tpe", "options": {}}, "pruner": pruner}
    ledger = fake({"random": RANDOM, "tpe": tpe}, seeds=seeds, metrics=metrics)
    searches = [ledger.search("tpe", seed) for seed in seeds]
    for number, values in enumerate(curves):
        trial = ledger.trial(searches[number % len(seeds)], number, [values[-1]])
        ledger.curve(trial, values)
    return ledger


def curves(first: Iterable[int], third: Iterable[int]) -> list[list[float]]:
    """Nine steps each: `first` until step 2, `third` until step 8, then 0, 1, 2, …"""
    return [[a] * 2 + [b] * 6 + [float(n)] for n, (a, b) in enumerate(zip(first, third, strict=True))]


CHANCE = (2 * 17 / (9 * 6 * 5)) ** 0.5  # variance of tau for n unrelated pairs: 2 (2n + 5) / (9n (n − 1))
MIXED = curves([3, 1, 2, 0, 5, 4], [0, 1, 2, 3, 5, 4])


def rungs(ledger: FakeLedger) -> tuple[Rung, ...]:
    """Those of the only arm that prunes."""
    (arm,) = collect(ledger, ID).rungs
    assert arm.arm == "tpe"
    return arm.rungs


def shown(data: CampaignReport) -> str:
    text = io.StringIO()
    console = Console(width=80, file=text)
    console.print(terminal(data))
    return " ".join(text.getvalue().split())


def test_tau_of_every_rung_before_the_last_step() -> None:
    first, third = rungs(campaign(MIXED))
    # of 15 pairs, step 1 has 6 in the wrong order and step 3 one: (9 − 6)/15 and (14 − 1)/15
    assert (first.step, first.trials, third.step, third.trials) == (1, 6, 3, 6)
    assert (first.tau, third.tau) == (pytest.approx(3 / 15), pytest.approx(13 / 15))
    assert first.chance == third.chance == pytest.approx(CHANCE)
    assert first.tau == pytest.approx(kendalltau([3, 1, 2, 0, 5, 4], range(6)).statistic)


def test_a_low_tau_is_warned_of_and_shown_everywhere() -> None:
    data = collect(campaign(MIXED), ID)
    (warning,) = [text for text in data.warnings if "tau" in text]
    assert "tpe prunes by values that rank trials poorly" in warning
    assert "is 0.20 ± 0.35 at step 1 (6 complete trials)" in warning
    assert "use schedule: per_rung, a later first rung, or no pruner" in warning
    assert "tpe (asha): step 1: 0.20 ± 0.35 of 6, step 3: 0.87 ± 0.35 of 6" in shown(data)
    page = html(data)
    assert TITLE in page and "<td>asha</td><td>3</td><td>6</td><td>0.87 ± 0.35</td>" in page
    json.dumps(data.to_json()["rungs"], allow_nan=False)


def test_a_high_tau_is_no_warning() -> None:
    ledger = campaign(curves(range(6), range(6)))
    data = collect(ledger, ID)
    assert [rung.tau for rung in rungs(ledger)] == pytest.approx([1, 1])
    assert not [text for text in data.warnings if "tau" in text]


def test_a_minimised_metric_reads_the_same() -> None:
    assert rungs(campaign(MIXED, metrics=LOSS)) == rungs(campaign(MIXED))


def test_seeds_are_pooled() -> None:
    assert rungs(campaign(MIXED, seeds=(0, 1, 2))) == rungs(campaign(MIXED))


def test_fewer_than_five_trials_or_equal_values_give_none() -> None:
    ledger = campaign(MIXED[:4])
    assert rungs(ledger) == (Rung(1, 4, None, None), Rung(3, 4, None, None))
    data = collect(ledger, ID)
    assert not [text for text in data.warnings if "tau" in text]
    assert "step 1: – of 4" in shown(data)
    assert rungs(campaign(curves([7] * 6, range(6))))[0].tau is None


def test_only_complete_trials_of_the_search_count() -> None:
    ledger = campaign(MIXED)
    search = f"{ID}/tpe/0"
    for number, fields in ((50, {"state": TrialState.PRUNED}), (51, {"kind": "final"})):
        values = None if "state" in fields else [99.0]
        ledger.curve(ledger.trial(search, number, values, **fields), [-9.0, -9.0, 99.0, 99.0])
    ledger.trial(search, 52, [5.5])  # without any report
    assert rungs(ledger) == rungs(campaign(MIXED))


def test_a_pruner_without_rungs_is_shown_at_a_few_steps() -> None:
    found = rungs(campaign(MIXED, {"name": "median", "options": {}}))
    assert [rung.step for rung in found] == [1, 3, 5, 7]
    gone = rungs(campaign(MIXED, {"name": "no_longer_here", "options": {}}))
    assert gone == found


def test_arms_that_do_not_prune_have_no_section() -> None:
    data = collect(campaign(MIXED, RANDOM["pruner"]), ID)
    assert data.rungs == ()
    assert TITLE not in shown(data) and TITLE not in html(data)


def test_before_any_trial_is_complete() -> None:
    data = collect(campaign([]), ID)
    assert data.rungs == (PrunedArm("tpe", "asha", per_rung=False, rungs=()),)
    assert "no complete trial went beyond a rung" in shown(data)
    assert "No complete trial has gone beyond a rung yet" in html(data)


def test_rungs_do_not_make_an_arm_search_something_else() -> None:
    ledger = campaign(MIXED)
    own = ledger.row.spec["arms"]["tpe"]
    own["evaluator"] = {"name": "network", "options": {"rungs": [1, 3]}}
    data = collect(ledger, ID)
    assert data.arms["tpe"].info.shared
    assert any("use a later first rung, or no pruner" in text for text in data.warnings)
    own["evaluator"]["options"]["epochs"] = 3
    assert not collect(ledger, ID).arms["tpe"].info.shared
