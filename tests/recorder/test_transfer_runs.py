"""What MLflow has of winners that were trained again on other datasets."""

from __future__ import annotations

from typing import Any

import pytest
from recorder_helpers import CLEAN, SPEC, Filled, recording, runs

from automl.contracts import Config, TrialState
from automl.ledger import Ledger, NewTrial, Store, TrialRow
from automl.recorder.audit import audit, repair
from automl.recorder.experiments import make_client
from automl.recorder.projection import project
from automl.recorder.results import result_of
from automl.recorder.search_runs import search_runs

WITH: dict[str, Any] = {
    **SPEC,
    "seeds": [0, 1, 2],
    "final": {"seeds": 2},
    "transfer": [{"name": "wine", "dataset": "wine"}, {"name": "iris", "dataset": "iris"}],
}


def train(filled: Filled, place: int, number: int, dataset: str, config: Config) -> TrialRow:
    new = NewTrial("transfer", number, config, number, filled.told, None, dataset)
    return filled.ledger.start_trial(filled.searches[place].id, new)


def campaign(store: Store, ledger: Ledger, spec: dict[str, Any] = WITH) -> Filled:
    """Two arms with three seeds; tpe is better here by 0.1, and worse by as much on wine; iris has failed."""
    filled = Filled(store, ledger, spec)
    for seed in (1, 2):
        filled.searches += [ledger.add_search(filled.id, arm, seed) for arm in ("random", "tpe")]
    winners = []
    for place in range(6):
        value = 0.5 + 0.1 * (place % 2) + 0.01 * (place // 2)
        winners.append(filled.trial(0, value, arm=place))
    for place, winner in enumerate(winners):
        for number in range(2):
            filled.end(filled.start(number, winner.config, arm=place, kind="final"), 0.5 + 0.1 * (place % 2))
        opening = ledger.open_test(filled.searches[place].id, "winner")
        ledger.close_test(opening.id, [0.5 + 0.1 * (place % 2), 0.5 + 0.1 * (place % 2)])
        trained = [train(filled, place, number, "wine", winner.config) for number in range(2)]
        value = 0.7 - 0.1 * (place % 2) + 0.002 * (place // 2) * (1 + place % 2)
        for trial in trained:
            filled.end(trial, value)
        opening = ledger.open_test(filled.searches[place].id, "winner", [one.id for one in trained], "wine")
        ledger.close_test(opening.id, [value - 0.01 * (place % 2), value])
        failed = train(filled, place, 2, "iris", winner.config)
        filled.end(failed, None, TrialState.FAILED, reason="ValueError: no", traceback="Traceback")
    filled.finish()
    return filled


def test_trials_searches_and_campaign_say_what_was_found_there(store: Store, ledger: Ledger) -> None:
    filled = campaign(store, ledger)
    with recording(filled) as recorder:
        recorder.drain()
    found = runs(filled)
    trial = found["demo-1/tpe/1/transfer-1"]
    assert trial.info.run_name == "tpe/1/transfer-1 on wine · demo-1" and trial.info.status == "FINISHED"
    assert (trial.data.tags["automl.kind"], trial.data.tags["automl.dataset"]) == ("transfer", "wine")
    assert trial.data.tags["mlflow.parentRunId"] == found["demo-1/tpe/1"].info.run_id
    assert trial.data.params["act"] == "relu" and trial.data.metrics["accuracy"] == pytest.approx(0.604)
    assert found["demo-1/tpe/1/transfer-2"].info.status == "FAILED"
    assert "automl.dataset" not in found["demo-1/tpe/1/final-0"].data.tags
    assert found["demo-1/tpe/1/final-0"].info.run_name == "tpe/1/final-0 · demo-1"

    search = found["demo-1/tpe/1"].data.metrics
    assert search["transfer/wine/test"] == pytest.approx(0.599) and "transfer/iris/test" not in search
    assert search["test_accuracy"] == pytest.approx(0.6) and search["fresh_accuracy"] == 0.6
    assert search["trials_complete"] == 1

    whole = found["demo-1"].data
    assert whole.metrics["transfer/wine/random/test"] == pytest.approx(0.702)
    assert whole.metrics["transfer/wine/tpe/test"] == pytest.approx(0.599)
    assert whole.metrics["transfer/wine/tpe/difference_to_random"] == pytest.approx(-0.103)
    assert whole.metrics["difference_to_random"] == pytest.approx(0.1)
    assert whole.metrics["device_seconds"] == pytest.approx(1.5 * 6 * (1 + 2 + 3))
    assert not any("iris" in key for key in whole.metrics)
    assert "on wine: tpe is worse than random" in whole.tags["mlflow.note.content"]


@pytest.mark.slow
def test_an_audit_wants_a_run_of_each_and_a_repair_writes_it(filled_either: Filled) -> None:
    store, ledger = filled_either.store, filled_either.ledger
    ledger.finish_campaign(filled_either.id, filled_either.token)
    filled = campaign(store, ledger)
    with recording(filled) as recorder:
        recorder.drain()
    clean = {"trials": 36, "runs": 36, **CLEAN}
    assert audit(store, ledger, filled.id).to_json() == clean
    client, found = make_client(store), runs(filled)
    client.delete_run(found[f"{filled.id}/tpe/1/transfer-1"].info.run_id)
    client.log_metric(found[f"{filled.id}/random/0"].info.run_id, "transfer/wine/test", 0.1, step=1)
    client.log_metric(found[filled.id].info.run_id, "transfer/wine/tpe/test", 0.1, step=1)
    damaged = audit(store, ledger, filled.id)
    assert damaged.missing == [f"{filled.id}/tpe/1/transfer-1"] and damaged.runs == 35
    assert sorted(damaged.different) == [filled.id, f"{filled.id}/random/0"]
    assert repair(store, ledger, filled.id).to_json() == clean


def test_searches_that_are_recorded_as_a_whole_have_the_dataset_in_their_table(
    store: Store, ledger: Ledger
) -> None:
    filled = campaign(store, ledger, {**WITH, "record": "searches"})
    projection, searches = project(ledger, filled.id)
    runs = next(search_runs(ledger, projection, searches))
    table = next(one.text for one in runs[0].artifacts if one.name == "trials.json")
    assert table is not None and '"dataset"' in table and '"wine"' in table


def test_a_campaign_without_the_key_reads_no_trials_for_it(
    store: Store, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled = Filled(store, ledger)
    filled.trial(0)
    filled.finish()
    row = ledger.campaign(filled.id)
    monkeypatch.setattr(Ledger, "trials", None)
    assert row is not None and "best_accuracy" in result_of(ledger, row).metrics
