"""SIGKILL of Ray's own processes: the campaign notices, starts Ray again and loses nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from patience import PATIENCE

from automl.contracts import TrialState
from automl.ledger import Ledger, resolve_store

CODE = """
import time
from pathlib import Path
from automl.space import Float, Space

SPACE = Space({"x": Float(-1.0, 1.0)})

def objective(config, context):
    (Path(__file__).parent / "begun").touch()
    for step in range(1, 9):
        time.sleep(0.25)
        context.report(step, config["x"])
    return config["x"]
"""
STUDY = """
name: rayless
task: {metric: loss, direction: minimize}
space: "rayless_code:SPACE"
evaluator: {function: {call: "rayless_code:objective"}}
budget: {trials: 4}
seeds: 1
arms: {random: {strategy: random}}
executor: {ray: {trials_at_once: 2}}
final: {seeds: 0}
"""


def _signal_below(driver: int, name: str, number: signal.Signals) -> None:
    """Send a signal to the process of that name which the driver has started."""
    listed = subprocess.run(
        ["ps", "--ppid", str(driver), "-o", "pid=,comm="], capture_output=True, text=True, check=True
    )
    (pid,) = [int(line.split()[0]) for line in listed.stdout.splitlines() if line.split()[1] == name]
    os.kill(pid, number)


def _started(folder: Path) -> subprocess.Popen[str]:
    """The study, running in `folder`, whose first trial has begun."""
    (folder / "rayless_code.py").write_text(CODE)
    (folder / "rayless.yaml").write_text(STUDY)
    run = subprocess.Popen(
        [sys.executable, "-m", "automl.cli", "run", "rayless.yaml", "--progress", "log"],
        cwd=folder,
        env={**os.environ, "AUTOML_STORE": str(folder / "store")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    late = threading.Timer(PATIENCE, run.kill)
    late.daemon = True
    late.start()
    while run.poll() is None and not (folder / "begun").exists():
        time.sleep(0.02)
    assert run.poll() is None
    return run


@pytest.mark.faults
@pytest.mark.ray
def test_a_raylet_that_stands_still_holds_no_run_up(tmp_path: Path) -> None:
    run = _started(tmp_path)
    _signal_below(run.pid, "raylet", signal.SIGSTOP)
    output, _ = run.communicate()
    assert run.returncode == 0, output
    with Ledger(resolve_store({"AUTOML_STORE": str(tmp_path / "store")})) as ledger:
        assert [row.state for row in ledger.trials(campaign="rayless-1")] == [TrialState.COMPLETE] * 4


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.parametrize("name", ["raylet", pytest.param("gcs_server", marks=pytest.mark.faults)])
def test_ray_is_started_again(name: str, tmp_path: Path) -> None:
    env = {**os.environ, "AUTOML_STORE": str(tmp_path / "store")}
    run = _started(tmp_path)
    _signal_below(run.pid, name, signal.SIGKILL)
    killed = time.monotonic()
    output, _ = run.communicate()
    assert run.returncode == 0, output
    assert f"Ray's {name} died; its trials go back, and Ray is started again" in output
    with Ledger(resolve_store(env)) as ledger:
        trials = ledger.trials(campaign="rayless-1")
        endings = [attempt.ending for each in ledger.attempts("rayless-1").values() for attempt in each]
        assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 4
        assert 1 <= endings.count("preempted") <= 2 and "lost" not in endings
        # 2 s of work, the part that was lost, and no waiting
        assert all(2.0 <= trial.device_seconds <= 4.0 + time.monotonic() - killed for trial in trials)
    audit = subprocess.run(
        [sys.executable, "-m", "automl.cli", "audit", "rayless", "--json"],
        env=env,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert audit.returncode == 0, audit.stdout + audit.stderr
    assert json.loads(audit.stdout)["runs"] == 4
