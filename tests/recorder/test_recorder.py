from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from mlflow import MlflowClient
from mlflow.entities import Run
from recorder_helpers import SPEC, Filled, write_file

from automl.contracts import RunError, TrialState
from automl.ledger import Ledger, Store, owner_identity
from automl.recorder import Recorder, writer_choice
from automl.recorder.audit import audit
from automl.recorder.direct import DirectWriter
from automl.recorder.experiments import make_client

CLEAN: dict[str, list[str]] = {"missing": [], "duplicate": [], "stuck": [], "different": []}


@pytest.fixture(params=["direct", "client"])
def filled_either(request: pytest.FixtureRequest, filled: Filled, monkeypatch: pytest.MonkeyPatch) -> Filled:
    """The filled ledger, recorded by either writer."""
    if request.param == "client":
        monkeypatch.setattr(writer_choice, "VERIFIED", frozenset())
    return filled


@contextmanager
def recording(filled: Filled, **more: Any) -> Iterator[Recorder]:
    recorder = Recorder(filled.store, filled.ledger, filled.id, **more)
    recorder.start()
    try:
        yield recorder
    finally:
        recorder.close()


def runs(filled: Filled) -> dict[str, Run]:
    client = make_client(filled.store)
    experiment = client.get_experiment_by_name("demo")
    if experiment is None:
        return {}
    found = client.search_runs([experiment.experiment_id])
    assert len({run.data.tags["automl.id"] for run in found}) == len(found)
    return {run.data.tags["automl.id"]: run for run in found}


def eventually(seen: Callable[[], Any], timeout: float = 10.0) -> Any:
    end = time.monotonic() + timeout
    while not (value := seen()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
    return value


@pytest.mark.postgres
def test_records_on_postgresql(postgres_store: Store) -> None:
    with Ledger(postgres_store) as ledger:
        filled = Filled(postgres_store, ledger)
        with recording(filled) as recorder:
            for number in range(5):
                filled.trial(number, arm=number % 2)
            odd = filled.start(5, {"text": "NUL \x00 and \ud800", "long": "x" * 9000})
            filled.end(odd, None, TrialState.FAILED, reason="é\ud800\x00", traceback="\x00")
            recorder.drain()
        filled.finish()
        with recording(filled) as recorder:
            recorder.drain()
        assert ledger.trials(campaign=filled.id)[0].recorded == 2
        found = audit(postgres_store, ledger, filled.id)
        assert found.to_json() == {"trials": 6, "runs": 6, **CLEAN}


def test_records_a_campaign(filled_either: Filled) -> None:
    filled = filled_either
    with recording(filled) as recorder:
        for number in range(4):
            filled.trial(number, 0.5 + number / 10, arm=number % 2)
        filled.end(filled.start(4), None, TrialState.FAILED, reason="ValueError", traceback="Traceback é")
        filled.finish()
        recorder.drain()
    found = runs(filled)
    assert len(found) == 1 + 2 + 5
    assert {run.info.status for run in found.values()} == {"FINISHED", "FAILED"}
    client = make_client(filled.store)
    failed = found["demo-1/random/0/4"].info.run_id
    assert (
        Path(client.download_artifacts(failed, "traceback.txt")).read_text(encoding="utf-8") == "Traceback é"
    )
    assert {file.path for file in client.list_artifacts(found["demo-1"].info.run_id)} >= {"study.json"}
    assert found["demo-1/tpe/0"].data.metrics["best_accuracy"] == pytest.approx(0.8)
    result = audit(filled.store, filled.ledger, filled.id)
    assert result.to_json() == {"trials": 5, "runs": 5, **CLEAN}
    assert all(trial.recorded == 2 for trial in filled.ledger.trials(campaign=filled.id))
    campaign = filled.ledger.campaign(filled.id)
    assert campaign is not None
    assert campaign.recorded == 2


def test_experiment_has_what_the_ui_needs(filled: Filled) -> None:
    with recording(filled) as recorder:
        recorder.drain()
    experiment = make_client(filled.store).get_experiment_by_name("demo")
    assert experiment is not None
    assert experiment.tags["mlflow.experiment.primaryMetric.name"] == "accuracy"
    assert experiment.tags["mlflow.experiment.primaryMetric.greaterIsBetter"] == "True"
    assert experiment.artifact_location == Path(filled.store.artifacts, "demo").as_uri()


def test_deleted_experiment_is_restored(filled: Filled) -> None:
    client = make_client(filled.store)
    location = Path(filled.store.artifacts, "demo").as_uri()
    client.delete_experiment(client.create_experiment("demo", artifact_location=location))
    filled.trial(0)
    with recording(filled) as recorder:
        recorder.drain()
    assert "demo-1/random/0/0" in runs(filled)


def test_running_trial_appears_with_its_values(filled_either: Filled) -> None:
    filled = filled_either
    trial = filled.start(0)
    with recording(filled):
        filled.report(trial, 0.25)
        run = eventually(lambda: runs(filled).get(trial.id))
        assert run.info.status == "RUNNING"
        filled.report(trial, 0.5, first=2)
        eventually(lambda: runs(filled)[trial.id].data.metrics.get("accuracy") == 0.5)
        filled.end(trial, 0.5)
        eventually(lambda: runs(filled)[trial.id].info.status == "FINISHED")
    history = make_client(filled.store).get_metric_history(run.info.run_id, "accuracy")
    assert [(point.step, point.value) for point in history] == [(1, 0.25), (2, 0.5)]


def test_short_trials_are_written_once(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trial younger than a second is not worth a RUNNING run of its own."""
    trial = filled.start(0)
    with recording(filled) as recorder:
        recorder.drain()
        assert trial.id not in runs(filled)


def test_interrupted_and_continued(filled_either: Filled) -> None:
    filled = filled_either
    trial = filled.start(1)
    filled.report(trial, 0.125, 0.25)
    time.sleep(1.0)
    with recording(filled):
        eventually(lambda: trial.id in runs(filled))
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
        filled.report(again, 0.5, 0.75, first=2)  # the second step anew: the first attempt's is replaced
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


def test_a_driver_that_was_replaced_leaves_the_runs_alone(filled: Filled) -> None:
    trial = filled.start(0)
    time.sleep(1.0)
    with recording(filled):
        eventually(lambda: trial.id in runs(filled))
        filled.token = filled.ledger.acquire(filled.id, owner_identity())
    assert runs(filled)[trial.id].info.status == "RUNNING"


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


def test_live_curve_equals_the_final_one(filled: Filled) -> None:
    """Points that were appended while trials ended are those that the whole search gives."""
    with recording(filled):
        for number in range(12):
            filled.trial(number, (number * 7 % 12) / 12, arm=number % 2, cost=0.25)
            time.sleep(0.03 * (number % 3))
        eventually(lambda: all(trial.recorded == 2 for trial in filled.ledger.trials(campaign=filled.id)))
        eventually(lambda: runs(filled)["demo-1/tpe/0"].data.metrics.get("device_seconds") == 1.5)
    assert filled.ledger.release(filled.id, filled.token)
    assert audit(filled.store, filled.ledger, filled.id).to_json() == {"trials": 12, "runs": 12, **CLEAN}


def test_attached_files(filled_either: Filled, tmp_path: Path) -> None:
    filled = filled_either
    trial = filled.trial(0)
    with recording(filled) as recorder:
        recorder.attach(filled.id, write_file(tmp_path / "tmp-1.html", "<p>"), "report.html")
        recorder.attach(trial.id, write_file(tmp_path / "cell.svg", "<svg/>"), "plots/cell.svg")
        recorder.drain()
    client, found = make_client(filled.store), runs(filled)
    assert Path(client.download_artifacts(found[filled.id].info.run_id, "report.html")).read_text() == "<p>"
    assert Path(client.download_artifacts(found[trial.id].info.run_id, "plots/cell.svg")).exists()


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


def test_searches_only(store: Store, ledger: Ledger) -> None:
    filled = Filled(store, ledger, {**SPEC, "record": "searches"})
    for number in range(3):
        filled.trial(number)
    with recording(filled, record="searches") as recorder:
        filled.finish()
        recorder.drain()
    assert sorted(runs(filled)) == ["demo-1", "demo-1/random/0", "demo-1/tpe/0"]
    run = runs(filled)["demo-1/random/0"]
    assert run.data.tags["mlflow.loggedArtifacts"] == '[{"path": "trials.json", "type": "table"}]'
    table = json.loads(
        Path(make_client(store).download_artifacts(run.info.run_id, "trials.json")).read_text()
    )
    assert len(table["data"]) == 3
    assert audit(store, ledger, filled.id).to_json() == {"trials": 3, "runs": 0, **CLEAN}


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


def test_sqlite_file_is_in_wal_mode(filled: Filled) -> None:
    with recording(filled) as recorder:
        recorder.drain()
    with sqlite3.connect(sa.make_url(filled.store.tracking_uri).database or "") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_runs_of_other_ledgers_and_users_stay(filled: Filled) -> None:
    """A shared server may hold a campaign of the same name; people may add tags and metrics of their own."""
    filled.trial(0)
    with recording(filled) as recorder:
        recorder.drain()
    client, found = make_client(filled.store), runs(filled)
    run = found["demo-1/random/0/0"].info
    client.set_tag(run.run_id, "mlflow.note.content", "mine")
    client.log_metric(run.run_id, "mine", 1.0)
    foreign = client.create_run(run.experiment_id, tags={"automl.id": "demo-1", "automl.uid": "f" * 32})
    filled.ledger.mark_recorded({"demo-1/random/0/0": 0})
    filled.finish()
    with recording(filled) as recorder:
        recorder.drain()
    again = client.get_run(run.run_id)
    assert (again.data.tags["mlflow.note.content"], again.data.metrics["mine"]) == ("mine", 1.0)
    assert client.get_run(foreign.info.run_id).info.lifecycle_stage == "active"
    assert audit(filled.store, filled.ledger, filled.id).to_json() == {"trials": 1, "runs": 1, **CLEAN}


def test_many_trials_are_few_transactions(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(DirectWriter.batch + 50):
        filled.trial(number, steps=1)
    sizes = []
    real = DirectWriter.write
    monkeypatch.setattr(
        DirectWriter, "write", lambda self, images: (sizes.append(len(images)), real(self, images))[1]
    )
    recorder = Recorder(filled.store, filled.ledger, filled.id)
    recorder._look()
    recorder.close()
    assert sizes[:4] == [0, 3, DirectWriter.batch, 50]


CWD_SCRIPT = """
from automl.ledger import resolve_store
from automl.recorder import Recorder
from automl.recorder.audit import audit
from automl.storage import open_ledger
from recorder_helpers import Filled
store = resolve_store()
with open_ledger(store) as ledger:
    filled = Filled(store, ledger)
    filled.trial(0, artifacts=["a"])
    filled.finish()
    recorder = Recorder(store, ledger, filled.id)
    recorder.start()
    recorder.drain()
    recorder.close()
    print(audit(store, ledger, filled.id).runs)
"""


@pytest.mark.parametrize("uri", ["", "sqlite:///elsewhere.db"])
def test_leaves_nothing_in_the_working_directory(tmp_path: Path, store: Store, uri: str) -> None:
    """Whatever MLFLOW_TRACKING_URI says, only the store is written."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "AUTOML_"))}
    environ |= {"AUTOML_STORE": str(store.folder), "PYTHONPATH": str(Path(__file__).parent)}
    if uri:
        environ["MLFLOW_TRACKING_URI"] = uri
    cwd = tmp_path / "cwd"
    cwd.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", CWD_SCRIPT], cwd=cwd, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "1\n"
    assert list(cwd.iterdir()) == []
