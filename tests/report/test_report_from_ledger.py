"""The report of a campaign that is in a real ledger, from its first moment to its end."""

import json

import pytest
from report_examples import ACCURACY, RANDOM, fake

from automl.contracts import Outcome, TrialState
from automl.ledger import Ledger, NewTrial, owner_identity
from automl.report import collect, html, terminal


def run_trial(
    ledger: Ledger, search: str, kind: str, number: int, outcome: Outcome, told: int | None
) -> None:
    new = NewTrial(
        kind, number, {"x": 1 if kind == "final" else number}, seed=number, asked_after=0, workdir=None
    )
    row = ledger.start_trial(search, new)
    assert ledger.finish_trial(row.id, row.token, outcome, told=told, attributes={})


def search_and_test(ledger: Ledger, campaign: str, arm: str, seed: int, bonus: float) -> None:
    search = ledger.add_search(campaign, arm, seed)
    pruned = Outcome(TrialState.PRUNED, device_seconds=0.5)
    failed = Outcome(TrialState.FAILED, device_seconds=0.25, reason="ValueError: no", traceback="Trace…")
    for number, value in enumerate([0.5, 0.7, 0.6]):
        run_trial(ledger, search.id, "trial", number, complete(value + bonus + seed / 50), told=number)
    run_trial(ledger, search.id, "trial", 3, pruned, told=3)
    run_trial(ledger, search.id, "trial", 4, failed, told=4)
    ledger.finish_search(search.id, "budget spent", f"{search.id}/1")
    for number in range(2):
        run_trial(ledger, search.id, "final", number, complete(0.65 + bonus + number / 10), told=None)
    opening = ledger.open_test(search.id, "winner")
    ledger.close_test(opening.id, [0.6 + bonus, 0.62 + bonus + seed / 100])


def complete(value: float) -> Outcome:
    return Outcome(TrialState.COMPLETE, device_seconds=1.0, values=[value])


def test_from_the_first_moment_to_the_end(any_ledger: Ledger) -> None:
    ledger = any_ledger
    arms = {"random": RANDOM, "tpe": {"strategy": {"name": "tpe", "options": {}}}}
    spec = fake(arms, seeds=[0, 1], metrics=ACCURACY).row.spec
    campaign = ledger.create_campaign("nas-digits", spec, "digest", {"commit": "abc"})
    token = ledger.acquire(campaign.id, owner_identity())
    begun = collect(ledger, campaign.id).to_json()
    assert (begun["status"], begun["arms"]) == ("running", {"random": [], "tpe": []})

    for seed in (0, 1):
        search_and_test(ledger, campaign.id, "random", seed, 0.0)
    search = ledger.add_search(campaign.id, "tpe", 0)
    ledger.start_trial(search.id, NewTrial("trial", 0, {"x": 0}, seed=0, asked_after=0, workdir=None))
    half = collect(ledger, campaign.id)
    assert half.arms["tpe"].searches[0].trials.running == 1
    assert half.comparison.compared == "test"
    assert half.comparison.verdicts[0].seeds == 0
    html(half)
    terminal(half)

    for seed in (1, 2):
        search_and_test(ledger, campaign.id, "tpe", seed, 0.1)
    ledger.finish_campaign(campaign.id, token)
    data = json.loads(json.dumps(collect(ledger, campaign.id).to_json(), allow_nan=False))
    assert data["status"] == "finished"
    entry = data["arms"]["random"][1]
    assert entry["trials"] == {"running": 0, "complete": 3, "pruned": 1, "failed": 1}
    assert entry["device_seconds"] == pytest.approx(3.75)
    assert entry["best"]["trial"] == f"{campaign.id}/random/1/1"
    assert entry["best"]["config"] == {"x": 1}
    assert entry["anytime"] == [[1.0, 0.52], [2.0, 0.72], [3.0, 0.72]]
    assert entry["fresh"] == [0.65, 0.75]
    assert entry["test"] == [0.6, 0.63]
    assert data["test_openings"] == 4
    (verdict,) = data["verdicts"]
    assert (verdict["seeds"], verdict["dropped_seeds"]) == (1, [0, 2])
    assert verdict["difference"] == pytest.approx(0.1)
    assert data["failures"][0]["reason"] == "ValueError: no"
