from __future__ import annotations

import contextlib
import json
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
from patience import PATIENCE
from recorder_helpers import Filled, eventually
from sockets import below, listening

from automl.contracts import UserError
from automl.ledger import Store, resolve_store
from automl.recorder import Recorder
from automl.recorder.experiments import make_client
from automl.recorder.pages import open_page
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


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="SIGKILL of a parent is known on Linux alone")
@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGKILL]
)
def test_no_process_is_left(filled: Filled, number: signal.Signals) -> None:
    port = free_port()
    command = [sys.executable, "-m", "automl.cli", "ui", "--port", str(port)]
    environ = {**os.environ, "AUTOML_STORE": str(filled.store.folder)}
    program = subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    eventually(lambda: is_open(port))
    (server,) = children(program.pid)
    assert listening(below(program.pid)) == {"0100007F"}, "127.0.0.1"
    program.send_signal(number)
    assert program.wait(PATIENCE) == (-number if number in (signal.SIGKILL, signal.SIGQUIT) else 0)
    eventually(lambda: not is_open(port))
    eventually(lambda: not session(server))


def is_open(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def stats() -> Iterator[tuple[int, list[str]]]:
    """The number of every process, and the fields of its state from the third on."""
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            yield int(file.parent.name), file.read_text(errors="replace").rpartition(")")[2].split()


def children(parent: int) -> list[int]:
    return [number for number, fields in stats() if fields[1] == str(parent)]


def session(leader: int) -> list[int]:
    """Processes of a session that have not ended."""
    return [number for number, fields in stats() if fields[3] == str(leader) and fields[0] not in "ZX"]


def test_the_link_is_of_the_server_that_records(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tracking server is not served again: its address is printed."""
    filled.trial(0)
    recorder = Recorder(filled.store, filled.ledger, filled.id)
    recorder.drain()
    recorder.close()
    client = make_client(filled.store)
    monkeypatch.setattr("automl.recorder.pages.make_client", lambda store: client)
    remote = replace(filled.store, tracking_uri="http://me:hunter2@tracking:5000/")
    link = open_page(remote, filled.campaign, "127.0.0.1", 5000)
    assert "hunter2" not in link
    assert "tracking:5000/#/experiments/1/runs?viewStateShareKey=automl-arms-1" in link


@pytest.mark.slow
def test_a_second_signal_while_it_ends_leaves_no_process(filled: Filled) -> None:
    port = free_port()
    command = [sys.executable, "-m", "automl.cli", "ui", "--port", str(port)]
    environ = {**os.environ, "AUTOML_STORE": str(filled.store.folder)}
    program = subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    eventually(lambda: is_open(port))
    (server,) = children(program.pid)
    for _ in range(3):
        program.send_signal(signal.SIGINT)
        time.sleep(0.05)
    program.wait(PATIENCE)
    eventually(lambda: not is_open(port))
    eventually(lambda: not session(server))
