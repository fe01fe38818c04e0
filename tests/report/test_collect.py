import json
import math
from typing import Any

import pytest
import report_examples as examples
from report_examples import LOSS, RANDOM, FakeLedger, fake, realistic, values_only

from automl.contracts import TrialState, UserError
from automl.report import collect

ID = "nas-digits-3"
DOCUMENTED = {
    "study",
    "campaign",
    "status",
    "metric",
    "direction",
    "budget",
    "arms",
    "verdicts",
    "test_openings",
}


def report_json(ledger: FakeLedger, campaign: str) -> dict[str, Any]:
    return collect(ledger, campaign).to_json()


@pytest.fixture(scope="module")
def example() -> dict[str, Any]:
    return report_json(realistic(), ID)


def test_documented_shape(example: dict[str, Any]) -> None:
    assert example.keys() >= DOCUMENTED
    assert list(example["arms"]) == ["random", "tpe", "darts", "resnet"]
    entry = example["arms"]["tpe"][0]
    documented = {"seed", "trials", "device_seconds", "best", "anytime", "fresh", "test"}
    assert entry.keys() >= documented
    assert entry["trials"].keys() >= {"complete", "pruned", "failed"}
    assert entry["best"].keys() >= {"trial", "value", "config"}
    verdict = {"arm", "against", "difference", "interval", "p_value", "verdict", "seeds", "more_seeds"}
    assert all(found.keys() >= verdict for found in example["verdicts"])
    assert [found["arm"] for found in example["verdicts"]] == ["tpe", "darts", "resnet"]
    assert {found["against"] for found in example["verdicts"]} == {"random"}
    assert example["test_openings"] == 20
    assert example["compared"] == "test"
    json.dumps(example, allow_nan=False)


def test_every_trial_is_counted_once(example: dict[str, Any]) -> None:
    entry = example["arms"]["random"][0]
    assert sum(entry["trials"].values()) == 40
    assert entry["trials"]["failed"] == 3
    assert len(example["evaluations"]) == 2 * 5 * 40 + 2 * 5
    assert [kind["count"] for kind in example["failures"]] == [15, 15]
    assert len(example["failures"][0]["trials"]) == 5


def test_anytime_pays_for_pruned_and_failed_trials_in_the_order_told() -> None:
    ledger = fake(seeds=[0])
    search = ledger.search("random", 0)
    ledger.trial(search, 0, [0.5], cost=1, told=2)
    ledger.trial(search, 1, None, cost=2, told=0, state=TrialState.PRUNED)
    ledger.trial(search, 2, [0.4], cost=4, told=1)
    ledger.trial(search, 3, None, cost=8, told=3, state=TrialState.FAILED)
    ledger.trial(search, 4, [0.3], cost=16, told=4)
    ledger.trial(search, 5, None, cost=0, told=None, state=TrialState.RUNNING)
    (entry,) = report_json(ledger, ID)["arms"]["random"]
    assert entry["anytime"] == [[6, 0.4], [7, 0.5], [31, 0.5]]
    assert entry["device_seconds"] == 31
    assert entry["trials"] == {"running": 1, "complete": 3, "pruned": 1, "failed": 1}
    assert entry["best"]["trial"] == f"{search}/0"


def test_minimised_metrics_and_the_selected_trial() -> None:
    ledger = fake(seeds=[0], metrics=LOSS)
    search = ledger.search("random", 0, winner=f"{ID}/random/0/2")
    for number, value in enumerate([3.0, 2.0, 2.0, 5.0]):
        ledger.trial(search, number, [value])
    (entry,) = report_json(ledger, ID)["arms"]["random"]
    assert [value for _, value in entry["anytime"]] == [3.0, 2.0, 2.0, 2.0]
    assert entry["best"]["trial"] == f"{ID}/random/0/2"


def test_retrainings_are_fresh_values_and_no_trials() -> None:
    ledger = fake(seeds=[0])
    search = ledger.search("random", 0)
    ledger.trial(search, 0, [0.9], cost=5)
    ledger.trial(search, 1, [0.8], kind="final", cost=7, told=None)
    ledger.trial(search, 0, [0.7], kind="final", cost=7, told=None)
    ledger.trial(search, 2, None, kind="final", cost=1, told=None, state=TrialState.FAILED)
    ledger.opening(search, None)
    ledger.opening(search, [0.6, 0.7])
    ledger.opening(search, [0.9, 0.9])
    data = report_json(ledger, ID)
    (entry,) = data["arms"]["random"]
    assert (entry["fresh"], entry["test"], entry["device_seconds"]) == ([0.7, 0.8], [0.6, 0.7], 5)
    assert entry["final_device_seconds"] == 15
    assert entry["gaps"] == {
        "validation_to_fresh": pytest.approx(-0.15),
        "fresh_to_test": pytest.approx(-0.1),
    }
    assert data["test_openings"] == 3
    assert any("opened the test set 3 times" in warning for warning in data["warnings"])
    assert any("1 of its fresh-seed retrainings failed" in warning for warning in data["warnings"])


def test_the_verdict_compares_what_all_arms_have() -> None:
    ledger = realistic(seeds=3, trials=10)
    ledger.opening_rows = [row for row in ledger.opening_rows if "/darts/" not in row.search]
    assert report_json(ledger, ID)["compared"] == "fresh"
    ledger = realistic(seeds=3, trials=10)
    ledger.opening_rows = [row for row in ledger.opening_rows if not row.search.endswith("tpe/1")]
    data = report_json(ledger, ID)
    assert data["compared"] == "test"
    assert data["verdicts"][0]["dropped_seeds"] == [1]
    assert data["verdicts"][0]["seeds"] == 2
    ledger.state = "running"
    data = report_json(ledger, ID)
    assert data["compared"] == "fresh"
    assert "interim" in data["warnings"][0]


def test_verdict_values() -> None:
    data = report_json(values_only({"random": [0.5, 0.6, 0.7], "tpe": [0.6, 0.72, 0.79]}), ID)
    (verdict,) = data["verdicts"]
    assert data["compared"] == verdict["compared"] == "validation"
    assert verdict["difference"] == pytest.approx(0.31 / 3)
    assert verdict["interval"][0] < verdict["difference"] < verdict["interval"][1]
    assert verdict["verdict"] == "better"
    assert verdict["sentence"].startswith("tpe is better than random by 10.3 points")
    assert data["summary"]["random"]["validation"] == {
        "mean": pytest.approx(0.6),
        "sd": pytest.approx(0.1),
        "n": 3,
    }
    assert data["ranking"] == ["tpe", "random"]


def test_a_search_without_a_complete_trial() -> None:
    data = report_json(values_only({"random": [0.5, 0.6], "tpe": [None, None]}), ID)
    assert data["arms"]["tpe"][0]["best"] is None
    assert data["arms"]["tpe"][0]["anytime"] == []
    assert data["verdicts"][0]["verdict"] == "undecided"
    assert data["verdicts"][0]["seeds"] == 0
    assert data["ranking"] == ["random", "tpe"]
    assert any("tpe with seed 0 has no complete trial (budget spent)" in text for text in data["warnings"])


def test_a_campaign_that_has_just_begun() -> None:
    data = report_json(fake(state="running"), ID)
    assert data["arms"] == {"random": [], "tpe": []}
    assert data["status"] == "running"
    assert data["verdicts"][0]["seeds"] == 0
    assert "tpe has not started with seeds 0, 1, 2" in data["warnings"]
    json.dumps(data, allow_nan=False)


def test_without_a_random_arm_there_is_no_verdict() -> None:
    data = report_json(values_only({"tpe": [0.5, 0.6]}), ID)
    assert data["verdicts"] == []
    assert any("no baseline to compare with" in text for text in data["warnings"])


def test_nothing_in_the_data_is_nan_or_infinite() -> None:
    ledger = fake(seeds=[0])
    search = ledger.search("random", 0)
    ledger.trial(search, 0, [math.inf], config={"x": math.nan})
    ledger.trial(search, 1, [math.nan])
    ledger.trial(search, 2, [0.5])
    data = report_json(ledger, ID)
    json.dumps(data, allow_nan=False)
    assert data["arms"]["random"][0]["best"]["value"] == 0.5


def test_pareto_set_of_two_metrics() -> None:
    metrics = [*examples.ACCURACY, {"name": "parameters", "direction": "minimize"}]
    ledger = fake({"random": RANDOM}, seeds=[0], metrics=metrics)
    search = ledger.search("random", 0)
    for number, values in enumerate([[0.9, 100], [0.8, 50], [0.8, 60], [0.95, 200], [0.9, 100], [0.7, 50]]):
        ledger.trial(search, number, values)
    data = report_json(ledger, ID)
    assert [entry["values"] for entry in data["pareto"]] == [[0.95, 200], [0.9, 100], [0.8, 50]]
    assert any("accuracy alone" in text for text in data["warnings"])


def test_an_unknown_campaign_is_the_users_mistake() -> None:
    with pytest.raises(UserError, match="'nosuch-1'"):
        report_json(fake(), "nosuch-1")


def test_an_overrun_budget_is_told() -> None:
    ledger = fake(seeds=[0], budget={"device_seconds": 10.0})
    ledger.trial(ledger.search("random", 0), 0, [0.5], cost=12)
    assert "random with seed 0 used 12 of 10 device-seconds" in report_json(ledger, ID)["warnings"]


def test_gaps_of_equal_values_are_nothing() -> None:
    ledger = fake(seeds=[0])
    search = ledger.search("random", 0)
    ledger.trial(search, 0, [0.1], cost=5)
    for number in range(3):  # whose mean is 0.10000000000000002 with some ways to add
        ledger.trial(search, number, [0.1 + (number - 1) * 1e-17], kind="final", cost=7, told=None)
    ledger.opening(search, [0.1, 0.1, 0.1])
    (entry,) = report_json(ledger, ID)["arms"]["random"]
    assert entry["gaps"] == {"validation_to_fresh": 0.0, "fresh_to_test": 0.0}
