from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from recorder_helpers import CLEAN, SPEC, Clock, Filled, eventually, recording, runs, write_file

from automl.contracts import TrialState
from automl.ledger import Ledger, Store
from automl.recorder import Artifact, Recorder
from automl.recorder.audit import audit
from automl.recorder.direct import DirectWriter
from automl.recorder.experiments import make_client


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


def test_running_trial_appears_with_its_values(filled_either: Filled, clock: Clock) -> None:
    filled = filled_either
    clock.ahead = 1.0
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


def test_short_trials_are_written_once(filled: Filled, clock: Clock) -> None:
    """A trial younger than a second is not worth a RUNNING run of its own."""
    clock.ahead = -60.0  # however slow this machine is
    trial = filled.start(0)
    with recording(filled) as recorder:
        recorder.drain()
        assert trial.id not in runs(filled)


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
        page, cell = write_file(tmp_path / "tmp-1.html", "<p>"), write_file(tmp_path / "cell.svg", "<svg/>")
        recorder.attach(filled.id, Artifact("report.html", path=page))
        recorder.attach(trial.id, Artifact("plots/cell.svg", path=cell))
        recorder.drain()
    client, found = make_client(filled.store), runs(filled)
    assert Path(client.download_artifacts(found[filled.id].info.run_id, "report.html")).read_text() == "<p>"
    assert Path(client.download_artifacts(found[trial.id].info.run_id, "plots/cell.svg")).exists()


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
        DirectWriter, "write", lambda self, runs: (sizes.append(len(runs)), real(self, runs))[1]
    )
    recorder = Recorder(filled.store, filled.ledger, filled.id)
    recorder._look()
    recorder.close()
    assert sizes[:4] == [0, 3, DirectWriter.batch, 50]


CWD_SCRIPT = """
from automl.ledger import resolve_store
from automl.recorder import Artifact, Recorder
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


@pytest.mark.slow
@pytest.mark.parametrize("uri", ["", "sqlite:///elsewhere.db"])
def test_leaves_nothing_in_the_working_directory(tmp_path: Path, store: Store, uri: str) -> None:
    """Whatever MLFLOW_TRACKING_URI says, only the store is written."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "AUTOML_"))}
    environ |= {
        "AUTOML_STORE": str(store.folder),
        "PYTHONPATH": os.pathsep.join(map(str, Path(__file__).parents[:2])),
    }
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
