"""What the run of a finished campaign says that it has found."""

from __future__ import annotations

import pytest
from recorder_helpers import CLEAN, Filled, recording, runs

from automl.ledger import Ledger, Store
from automl.recorder.audit import audit, repair
from automl.recorder.experiments import make_client
from automl.recorder.results import Result, result_of


def filled_and_found(store: Store, ledger: Ledger, best: float) -> Filled:
    filled = Filled(store, ledger)
    for seed in (1, 2):
        filled.searches += [ledger.add_search(filled.id, arm, seed) for arm in ("random", "tpe")]
    for place in range(6):  # random and tpe by turns, three seeds
        value = best + 0.1 * (place % 2) + 0.01 * (place // 2)
        trial = filled.trial(0, value, arm=place)
        filled.end(filled.start(0, trial.config, arm=place, kind="final"), value - 0.05)
    filled.finish()
    return filled


def test_numbers_and_words_of_the_winner(store: Store, ledger: Ledger) -> None:
    filled = filled_and_found(store, ledger, 0.5)
    assert result_of(ledger, filled.campaign) == Result(), "it was running when this row was read"
    campaign = ledger.campaign(filled.id)
    assert campaign is not None
    found = result_of(ledger, campaign)
    assert found.metrics["best_accuracy"] == pytest.approx(0.62)
    assert found.metrics["fresh_accuracy"] == pytest.approx(0.56)
    low, high = found.metrics["fresh_accuracy_low"], found.metrics["fresh_accuracy_high"]
    assert (low + high) / 2 == pytest.approx(0.56) and low < 0.55 and high > 0.57
    assert found.metrics["difference_to_random"] == pytest.approx(0.1)
    assert not any(key.startswith(("test_", "difference_to_last")) for key in found.metrics)
    assert found.tags["automl.winner"] == "demo-1/tpe/2/0"
    assert (found.tags["automl.winner.arm"], found.tags["automl.winner.seed"]) == ("tpe", "2")
    assert found.tags["automl.verdict.sentence"] in found.sentences


@pytest.mark.slow
def test_they_are_in_mlflow_and_an_audit_looks_at_them(filled_either: Filled) -> None:
    store, ledger = filled_either.store, filled_either.ledger
    filled_and_found(store, ledger, 0.5)
    filled = filled_and_found(store, ledger, 0.6)
    with recording(filled) as recorder:
        recorder.drain()
    run = runs(filled)[filled.id]
    assert run.data.metrics["difference_to_last"] == pytest.approx(0.1)
    note = run.data.tags["mlflow.note.content"]
    assert note.startswith("- ") and f"Winner: `{filled.id}/tpe/2/0`" in note
    for damage in ("tag", "metric"):
        client = make_client(store)
        if damage == "tag":
            client.set_tag(run.info.run_id, "automl.winner", "another")
        else:
            client.log_metric(runs(filled)[filled.id].info.run_id, "fresh_accuracy", 0.1, step=1)
        assert audit(store, ledger, filled.id).different == [filled.id]
        expected = {"trials": 12, "runs": 12, **CLEAN}
        assert repair(store, ledger, filled.id).to_json() == expected


def test_a_campaign_that_found_nothing(store: Store, ledger: Ledger) -> None:
    filled = Filled(store, ledger)
    filled.finish()
    campaign = ledger.campaign(filled.id)
    assert campaign is not None
    found = result_of(ledger, campaign)
    assert (found.metrics, found.tags) == ({}, {})
    with recording(filled) as recorder:
        recorder.drain()
    assert audit(store, ledger, filled.id).to_json() == {"trials": 0, "runs": 0, **CLEAN}
