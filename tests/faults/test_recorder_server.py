"""A real tracking server: killed, away, started again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from automl.ledger import Ledger, Store
from automl.recorder import Recorder
from automl.recorder.audit import audit, repair
from automl.recorder.experiments import make_client
from automl.recorder.registry import TrainingRun, fetch_model, register_model
from automl.recorder.ui import command
from automl.upkeep import deleting, renaming

sys.path.append(str(Path(__file__).parents[1] / "recorder"))
from patience import PATIENCE
from recorder_helpers import Filled, write_file

CLEAN: dict[str, list[str]] = {"missing": [], "duplicate": [], "stuck": [], "different": []}


class Server:
    """An `mlflow server` process on a SQLite store, to be killed and started again on the same port."""

    def __init__(self, store: Store) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._argv, self._environ = command(store, port=self.port)
        self._argv += ["--artifacts-destination", store.artifacts]
        del self._environ["MLFLOW_DEFAULT_ARTIFACT_ROOT"]  # artifacts go through the server
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._argv, env=self._environ, start_new_session=True, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + PATIENCE
        while True:
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=5):
                    return
            except OSError:
                assert time.monotonic() < end, "the server did not start"
                time.sleep(0.2)

    def kill(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


@pytest.fixture
def server(store: Store) -> Iterator[Server]:
    process = Server(store)
    process.start()
    yield process
    process.kill()


@pytest.fixture
def filled(store: Store, ledger: Ledger, server: Server) -> Filled:
    return Filled(replace(store, tracking_uri=server.url), ledger)


@pytest.mark.slow
def test_killed_twice_and_started_again(filled: Filled, server: Server) -> None:
    recorder = Recorder(filled.store, filled.ledger, filled.id)
    recorder.start()
    for number in range(30):
        if number in (8, 18):
            time.sleep(0.5)  # amid recording
            server.kill()
        if number in (12, 22):
            server.start()
        filled.trial(number, number / 30, arm=number % 2)
        time.sleep(0.05)
    failed = filled.start(30)
    write_file(Path(failed.workdir or "") / "artifacts" / "plots" / "cell.svg", "<svg/>")
    filled.end(failed, 0.5, artifacts=["plots/cell.svg"])
    filled.finish()
    recorder.drain()
    recorder.close()
    assert audit(filled.store, filled.ledger, filled.id).to_json() == {"trials": 31, "runs": 31, **CLEAN}
    client = make_client(filled.store)
    experiment = client.get_experiment_by_name("demo")
    assert experiment is not None
    assert experiment.artifact_location.startswith("mlflow-artifacts:")
    (run,) = client.search_runs([experiment.experiment_id], f"tags.\"automl.id\" = '{failed.id}'")
    assert [file.path for file in client.list_artifacts(run.info.run_id, "plots")] == ["plots/cell.svg"]
    client.delete_run(run.info.run_id)
    assert audit(filled.store, filled.ledger, filled.id).missing == [failed.id]
    assert repair(filled.store, filled.ledger, filled.id).to_json() == {"trials": 31, "runs": 31, **CLEAN}


@pytest.mark.slow
def test_registry_behind_a_server(filled: Filled, tmp_path: Path) -> None:
    write_file(tmp_path / "model" / "weights.pt", "weights")
    run = TrainingRun("demo/train-1", "accuracy", {"epochs": 8}, {"accuracy": 0.5})
    assert register_model(filled.store, name="demo", folder=tmp_path / "model", run=run) == "1"
    assert (
        fetch_model(filled.store, "demo", tmp_path / "back").folder / "weights.pt"
    ).read_text() == "weights"


@pytest.mark.slow
def test_a_campaign_is_renamed_and_deleted_behind_a_server(filled: Filled) -> None:
    filled.trial(0)
    filled.finish()
    recorder = Recorder(filled.store, filled.ledger, filled.id)
    recorder.start()
    recorder.drain()
    recorder.close()
    filled.ledger.release(filled.id, filled.token)
    renaming.rename(filled.store, filled.ledger, filled.campaign, "first")
    client = make_client(filled.store)
    experiment = client.get_experiment_by_name("demo").experiment_id
    assert "first (demo-1)" in {run.info.run_name for run in client.search_runs([experiment])}
    row = filled.ledger.campaign(filled.id)
    assert row is not None
    gone = deleting.delete(filled.store, filled.ledger, row)
    assert (gone.runs, gone.in_trash) == (4, True), "a server keeps them in its trash"
    assert client.search_runs([experiment]) == []
    assert filled.ledger.campaigns() == []
