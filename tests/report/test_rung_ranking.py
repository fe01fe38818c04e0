"""Kendall's tau between rungs and final values: of which trials, at which steps, and when it warns."""

import io
import json

import pytest
from report_examples import LOSS, RANDOM, fake
from rich.console import Console
from scipy.stats import kendalltau

from automl.contracts import TrialState
from automl.report import collect, html, terminal

ID = "nas-digits-3"
ASHA = {"name": "asha", "options": {"reduction": 3}}


def campaign(curves, pruner=ASHA, seeds=(0,), **options):
    """An arm `tpe` whose complete trials have these values, step by step, dealt out to the seeds in turn."""
    tpe = {"strategy": {"name": "tpe", "options": {}}, "pruner": pruner}
    ledger = fake({"random": RANDOM, "tpe": tpe}, seeds=seeds, **options)
    searches = [ledger.search("tpe", seed) for seed in seeds]
    for number, values in enumerate(curves):
        trial = ledger.trial(searches[number % len(seeds)], number, [values[-1]])
        ledger.curve(trial, values)
    return ledger


def curves(first, third):
    """Nine steps each: `first` until step 2, `third` until step 8, then 0, 1, 2, …"""
    return [[a] * 2 + [b] * 6 + [float(n)] for n, (a, b) in enumerate(zip(first, third, strict=True))]


CHANCE = (2 * 17 / (9 * 6 * 5)) ** 0.5  # variance of tau for n unrelated pairs: 2 (2n + 5) / (9n (n − 1))
MIXED = curves([3, 1, 2, 0, 5, 4], [0, 1, 2, 3, 5, 4])


def shown(data):
    console = Console(width=80, file=io.StringIO())
    console.print(terminal(data))
    return " ".join(console.file.getvalue().split())


def test_tau_of_every_rung_before_the_last_step():
    found = collect(campaign(MIXED), ID)["rungs"]
    # of 15 pairs, step 1 has 6 in the wrong order and step 3 one: (9 − 6)/15 and (14 − 1)/15
    assert found == {
        "tpe": [
            {"step": 1, "trials": 6, "tau": pytest.approx(3 / 15), "chance": pytest.approx(CHANCE)},
            {"step": 3, "trials": 6, "tau": pytest.approx(13 / 15), "chance": pytest.approx(CHANCE)},
        ]
    }
    assert found["tpe"][0]["tau"] == pytest.approx(kendalltau([3, 1, 2, 0, 5, 4], range(6)).statistic)


def test_a_low_tau_is_warned_of_and_shown_everywhere():
    data = collect(campaign(MIXED), ID)
    (warning,) = [text for text in data["warnings"] if "tau" in text]
    assert "tpe ends trials by values that rank them poorly" in warning
    assert "is 0.20 ± 0.35 at step 1 (6 complete trials)" in warning
    assert "use schedule: per_rung, a later first rung, or no pruner" in warning
    assert "tpe (asha): step 1: 0.20 ± 0.35 of 6, step 3: 0.87 ± 0.35 of 6" in shown(data)
    page = html(data)
    assert "Do the rungs rank?" in page and "<td>asha</td><td>3</td><td>6</td><td>0.87 ± 0.35</td>" in page
    json.dumps(data["rungs"])


def test_a_high_tau_is_no_warning():
    data = collect(campaign(curves(range(6), range(6))), ID)
    assert [rung["tau"] for rung in data["rungs"]["tpe"]] == pytest.approx([1, 1])
    assert not [text for text in data["warnings"] if "tau" in text]


def test_a_minimised_metric_reads_the_same():
    assert collect(campaign(MIXED, metrics=LOSS), ID)["rungs"] == collect(campaign(MIXED), ID)["rungs"]


def test_seeds_are_pooled():
    assert collect(campaign(MIXED, seeds=(0, 1, 2)), ID)["rungs"] == collect(campaign(MIXED), ID)["rungs"]


def test_fewer_than_five_trials_or_equal_values_give_none():
    found = collect(campaign(MIXED[:4]), ID)
    assert found["rungs"]["tpe"] == [
        {"step": 1, "trials": 4, "tau": None, "chance": None},
        {"step": 3, "trials": 4, "tau": None, "chance": None},
    ]
    assert not [text for text in found["warnings"] if "tau" in text]
    assert "step 1: – of 4" in shown(found)
    assert collect(campaign(curves([7] * 6, range(6))), ID)["rungs"]["tpe"][0]["tau"] is None


def test_only_complete_trials_of_the_search_count():
    ledger = campaign(MIXED)
    search = f"{ID}/tpe/0"
    for number, fields in ((50, {"state": TrialState.PRUNED}), (51, {"kind": "final"})):
        values = None if "state" in fields else [99.0]
        ledger.curve(ledger.trial(search, number, values, **fields), [-9.0, -9.0, 99.0, 99.0])
    ledger.trial(search, 52, [5.5])  # without any report
    assert collect(ledger, ID)["rungs"] == collect(campaign(MIXED), ID)["rungs"]


def test_a_pruner_without_rungs_is_shown_at_a_few_steps():
    found = collect(campaign(MIXED, {"name": "median", "options": {}}), ID)["rungs"]["tpe"]
    assert [rung["step"] for rung in found] == [1, 3, 5, 7]
    gone = collect(campaign(MIXED, {"name": "no_longer_here", "options": {}}), ID)["rungs"]["tpe"]
    assert gone == found


def test_arms_that_do_not_prune_have_no_section():
    data = collect(campaign(MIXED, RANDOM["pruner"]), ID)
    assert data["rungs"] == {}
    assert "Do the rungs rank?" not in shown(data) and "Do the rungs rank?" not in html(data)


def test_before_any_trial_is_complete():
    data = collect(campaign([]), ID)
    assert data["rungs"] == {"tpe": []}
    assert "no complete trial went beyond a rung" in shown(data)
    assert "No complete trial has gone beyond a rung yet" in html(data)


def test_rungs_do_not_make_an_arm_search_something_else():
    ledger = campaign(MIXED)
    own = ledger.row.spec["arms"]["tpe"]
    own["evaluator"] = {"name": "network", "options": {"rungs": [1, 3]}}
    data = collect(ledger, ID)
    assert data["arm_info"]["tpe"]["shared"]
    assert any("use a later first rung, or no pruner" in text for text in data["warnings"])
    own["evaluator"]["options"]["epochs"] = 3
    assert not collect(ledger, ID)["arm_info"]["tpe"]["shared"]
