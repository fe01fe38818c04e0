"""Signals at idle trials: the campaign ends by itself, a second one ends it at once; no process is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from patience import PATIENCE
from sockets import below

pytestmark = [pytest.mark.faults, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]
GONE = 30.0  # seconds: Ray's agents would wait a minute for a head that is gone
CODE = """
import time
from pathlib import Path
from automl.space import Float, Space
SPACE = Space({"x": Float(0.0, 1.0)})

def objective(config, context):
    (Path(__file__).parent / "begun").touch()
    time.sleep(100_000)
    return config["x"]
"""
STUDY = """
name: idle
task: {metric: loss, direction: minimize}
space: "idle_code:SPACE"
evaluator: {function: {call: "idle_code:objective"}}
budget: {trials: 4}
seeds: 1
arms: {random: {strategy: random}}
executor: %s
final: {seeds: 0}
"""
EXECUTORS = [
    "local",
    "{local: {isolate: true}}",
    pytest.param("{ray: {trials_at_once: 2}}", marks=pytest.mark.ray),
]


def idle(folder: Path, executor: str) -> subprocess.Popen[bytes]:
    """A campaign whose trials have begun and tell nothing."""
    (folder / "idle_code.py").write_text(CODE)
    (folder / "idle.yaml").write_text(STUDY % executor)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("automl"), "run", "idle.yaml", "--progress", "log"],
            cwd=folder,
            env={**os.environ, "AUTOML_STORE": str(folder / "store")},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    end = time.monotonic() + PATIENCE
    while not (folder / "begun").exists():
        assert process.poll() is None and time.monotonic() < end, (folder / "log").read_text()
        time.sleep(0.05)
    time.sleep(0.5)  # the driver waits now
    return process


def left(started: dict[int, str]) -> dict[int, str]:
    """Those of the processes that are still there, not others that have got their numbers."""
    return {pid: since for pid, since in started.items() if began(pid) == since}


def began(pid: int) -> str:
    """When a process was started; empty for one that has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def none_is_left(started: dict[int, str]) -> None:
    end = time.monotonic() + GONE
    while found := left(started):
        assert time.monotonic() < end, found
        time.sleep(0.1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("executor", EXECUTORS)
def test_one_signal(executor: str, number: signal.Signals, tmp_path: Path) -> None:
    process = idle(tmp_path, executor)
    started = {pid: began(pid) for pid in below(process.pid)}
    process.send_signal(number)
    killed = number is signal.SIGKILL
    assert process.wait(PATIENCE) == (-number if killed else 130), (tmp_path / "log").read_text()
    none_is_left(started)
    log = (tmp_path / "log").read_text()
    assert killed or "interrupted; finished trials are safe; continue with: automl run idle.yaml" in log
    assert "Traceback" not in log


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_second_one_ends_it_at_once(executor: str, tmp_path: Path) -> None:
    process = idle(tmp_path, executor)
    started = {pid: began(pid) for pid in below(process.pid)}
    process.send_signal(signal.SIGTERM)
    end = time.monotonic() + PATIENCE
    while process.poll() is None:
        assert time.monotonic() < end
        time.sleep(0.35)
        process.send_signal(signal.SIGTERM)
    assert process.returncode in (130, -signal.SIGTERM)
    none_is_left(started)
