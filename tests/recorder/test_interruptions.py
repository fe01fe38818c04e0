from __future__ import annotations

import sqlite3
import threading
from typing import Any

import pytest
import sqlalchemy as sa
from mlflow import MlflowClient
from recorder_helpers import CLEAN, SPEC, Clock, Filled, eventually, recording, runs

from automl.contracts import RunError, TrialState
from automl.ledger import Ledger, owner_identity
from automl.recorder import Recorder
from automl.recorder.audit import audit
from automl.recorder.direct import DirectWriter
from automl.recorder.experiments import make_client
from automl.recorder.follower import Follower


@pytest.mark.slow
def test_interrupted_and_continued(filled_either: Filled, clock: Clock) -> None:
    filled = filled_either
    trial = filled.start(1)
    filled.report(trial, 0.125, 0.25)
    clock.ahead = 1.0
    with recording(filled):
        eventually(lambda: trial.id in runs(filled))
        clock.ahead = 0.0
        filled.trial(0, 0.5)
        young = filled.start(2)
    found = runs(filled)
    assert found[young.id].info.status == "SCHEDULED"
    assert {found[name].info.status for name in ("demo-1", "demo-1/tpe/0", trial.id)} == {"SCHEDULED"}
    assert filled.ledger.release(filled.id, filled.token)
    assert audit(filled.store, filled.ledger, filled.id).to_json() == {"trials": 3, "runs": 3, **CLEAN}

    filled.token = filled.ledger.acquire(filled.id, owner_identity())
    with recording(filled) as recorder:
        eventually(lambda: runs(filled)[trial.id].info.status == "RUNNING")
        again = filled.ledger.restart_trial(trial.id, trial.token, 1.0)
        filled.report(again, 0.5, 0.75, first=2)  # step 2 again: it replaces that of the first attempt
        filled.end(again, 0.75)
        filled.end(young, 0.5)
        filled.finish()
        recorder.drain()
    assert audit(filled.store, filled.ledger, filled.id).to_json() == {"trials": 3, "runs": 3, **CLEAN}
    run = runs(filled)[trial.id]
    assert run.data.tags["automl.attempt"] == "2"
    history = make_client(filled.store).get_metric_history(run.info.run_id, "accuracy")
    assert [(point.step, point.value) for point in history] == [(1, 0.125), (2, 0.5), (3, 0.75)]


@pytest.mark.parametrize("record", ["trials", "searches"])
def test_searches_that_have_ended_are_whole_when_others_are_interrupted(
    filled: Filled, ledger: Ledger, record: str
) -> None:
    filled = Filled(filled.store, ledger, {**SPEC, "record": record})
    with recording(filled, record=record):
        filled.trial(0, 0.25)
        filled.trial(1, 0.5)
        filled.trial(0, 0.75, arm=1)
        eventually(lambda: f"{filled.id}/tpe/0" in runs(filled))
        ledger.finish_search(filled.searches[0].id, "budget", filled.searches[0].id + "/1")
    assert ledger.release(filled.id, filled.token)
    found = {name.removeprefix(f"{filled.id}/"): run for name, run in runs(filled).items()}
    ended, other = found["random/0"], found["tpe/0"]
    assert (ended.info.status, other.info.status) == ("FINISHED", "SCHEDULED")
    assert ended.data.metrics["trials_complete"] == 2 and ended.data.metrics["best_accuracy"] == 0.5
    client = make_client(filled.store)
    files = {file.path for file in client.list_artifacts(ended.info.run_id)}
    assert files == {"winner.json"} | ({"trials.json"} if record == "searches" else set())
    assert client.list_artifacts(other.info.run_id) == []
    audited = audit(filled.store, ledger, filled.id)
    assert audited.to_json() == {"trials": 3, "runs": 3 * (record == "trials"), **CLEAN}


def test_a_driver_that_was_replaced_leaves_the_runs_alone(filled: Filled, clock: Clock) -> None:
    trial = filled.start(0)
    clock.ahead = 1.0
    with recording(filled):
        eventually(lambda: trial.id in runs(filled))
        filled.token = filled.ledger.acquire(filled.id, owner_identity())
    assert runs(filled)[trial.id].info.status == "RUNNING"


def test_trials_for_which_no_time_is_left_are_told(
    filled: Filled, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(DirectWriter, "batch", 1)
    recorder = Recorder(filled.store, filled.ledger, filled.id)
    recorder._look()
    for number in range(5):
        filled.trial(number)
    monkeypatch.setattr("automl.recorder.recorder.LAST_LOOK", 0.0)
    recorder.close()
    left = filled.ledger.due_trials(filled.id)
    assert 0 < left <= 5
    assert f"{left} of its trials were not recorded within 0 s" in caplog.text
    assert "automl audit demo --repair" in caplog.text


def test_killed_between_writing_and_marking(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same trials are written twice; MLflow has them once."""
    for number in range(5):
        filled.trial(number)
    real = Ledger.mark_recorded
    monkeypatch.setattr(Ledger, "mark_recorded", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        Recorder(filled.store, filled.ledger, filled.id).drain()
    monkeypatch.setattr(Ledger, "mark_recorded", real)
    assert len(runs(filled)) == 8
    filled.finish()
    with recording(filled) as recorder:
        recorder.drain()
    assert audit(filled.store, filled.ledger, filled.id).to_json() == {"trials": 5, "runs": 5, **CLEAN}


def test_files_that_cannot_be_uploaded_keep_no_other_trial_back(
    filled: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = MlflowClient.log_artifacts

    def refuse(self: MlflowClient, run_id: str, *rest: Any) -> None:
        raise PermissionError("no")

    bad = filled.start(0)
    filled.end(bad, None, TrialState.FAILED, traceback="Traceback")
    good = filled.trial(1)
    monkeypatch.setattr(DirectWriter, "batch", 1)
    recorder = Recorder(filled.store, filled.ledger, filled.id)
    recorder._look()  # the campaign's own artifacts
    filled.ledger.mark_recorded({bad.id: 0, good.id: 0})
    monkeypatch.setattr(MlflowClient, "log_artifacts", refuse)
    with pytest.raises(RunError, match=r"safe in the ledger.*automl audit demo --repair"):
        recorder.drain(timeout=0.5)
    later = filled.trial(2)
    with pytest.raises(RunError):
        recorder.drain(timeout=0.2)
    recorded = {trial.id: trial.recorded for trial in filled.ledger.trials(campaign=filled.id)}
    assert recorded == {bad.id: 0, good.id: 2, later.id: 2}
    monkeypatch.setattr(MlflowClient, "log_artifacts", real)
    recorder.drain()
    recorder.close()


def test_waits_for_a_locked_database(filled: Filled) -> None:
    filled.trial(0)
    path = sa.make_url(filled.store.tracking_uri).database or ""
    with recording(filled) as recorder:
        eventually(lambda: "demo-1/random/0/0" in runs(filled))
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN EXCLUSIVE")
        release = threading.Timer(1.0, lambda: other.execute("ROLLBACK"))
        release.start()
        filled.trial(1)
        recorder.drain()
        release.join()
        other.close()
    assert "demo-1/random/0/1" in runs(filled)


@pytest.mark.parametrize("read", ["while it ran", "after its end"])
def test_a_beginning_that_comes_late_changes_nothing_that_is_recorded(
    filled_either: Filled, monkeypatch: pytest.MonkeyPatch, read: str
) -> None:
    """The thread of a beginning that was given up goes on by itself, and may be the last to write."""
    filled = filled_either
    follower = Follower(filled.store, filled.ledger, filled.id, with_trials=True)
    trial = filled.start(0)
    filled.report(trial, 0.25, 0.375)
    filled.end(trial, 0.5)
    filled.finish()
    follower.catch_up()
    follower.complete()
    before = history(filled, trial.id)
    assert [step for step, _ in before] == [1, 2, 2]
    if read == "while it ran":
        monkeypatch.setattr(filled.ledger, "trial", lambda _: trial)
    follower.begin(trial.id)
    follower.close()
    assert history(filled, trial.id) == before
    assert audit(filled.store, filled.ledger, filled.id).to_json() == {"trials": 1, "runs": 1, **CLEAN}


def history(filled: Filled, identity: str) -> list[tuple[int, float]]:
    """The points of the primary metric of a run."""
    points = make_client(filled.store).get_metric_history(runs(filled)[identity].info.run_id, "accuracy")
    return sorted((point.step, point.value) for point in points)
