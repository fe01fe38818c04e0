from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
import urllib.request
from dataclasses import replace

import pytest
from patience import PATIENCE
from recorder_helpers import Filled

from automl.contracts import UserError
from automl.ledger import Store, resolve_store
from automl.recorder import Recorder
from automl.recorder.ui import command, serve


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_no_password_on_the_command_line() -> None:
    store = resolve_store({"AUTOML_STORE": "postgresql://me:hunter2@db/automl"})
    argv, environ = command(store, port=5001)
    assert "hunter2" not in " ".join(argv)
    assert "hunter2" in environ["MLFLOW_BACKEND_STORE_URI"]
    assert environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"


def test_taken_port(store: Store) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UserError, match="choose another --port"):
            serve(store, port=taken.getsockname()[1])


def test_server_store(store: Store) -> None:
    with pytest.raises(UserError, match="http://tracking:5000"):
        serve(replace(store, tracking_uri="http://tracking:5000"))


@pytest.mark.slow
def test_serves_the_store(filled: Filled) -> None:
    filled.trial(0)
    recorder = Recorder(filled.store, filled.ledger, filled.id)
    recorder.drain()
    recorder.close()
    port = free_port()
    argv, environ = command(filled.store, port=port)
    server = subprocess.Popen(argv, env=environ, start_new_session=True, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}/api/2.0/mlflow/experiments/get-by-name?experiment_name=demo"
        end = time.monotonic() + PATIENCE
        while True:
            try:
                with urllib.request.urlopen(url, timeout=5) as answer:
                    found = json.load(answer)
                break
            except OSError:
                assert time.monotonic() < end, "the server did not start"
                time.sleep(0.3)
        assert found["experiment"]["name"] == "demo"
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(PATIENCE)
