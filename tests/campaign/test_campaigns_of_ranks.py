"""Whole campaigns whose trials two ranks train: on this machine and on Ray, one rank killed on the way."""

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

STUDY = """
name: divided
task: {dataset: digits, metric: accuracy}
space: nasbench201
evaluator: {network: {epochs: 2, channels: 4, batch_size: 128}}
budget: {trials: 2}
arms:
  darts: {evaluator: {supernet: {method: darts, order: 2, epochs: 1, batch_size: 128}}}
executor: EXECUTOR
final: {seeds: 1}
retry: {lost: 2}
"""
EXECUTORS = {
    "local": "{local: {cpus: 2, ranks: 2}}",
    "ray": "{ray: {cpus: 2, ranks: 2, trials_at_once: 1}}",
}


def automl(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "automl.cli", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE)


def followers(folder: Path) -> list[int]:
    """Other ranks that work in a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes()
            place = (path / "cwd").resolve(strict=True)
        except OSError:
            continue
        if b"automl.executors.follower" in words and place == folder.resolve():
            found.append(int(path.name))
    return found


def kill_one(folder: Path, killed: list[int]) -> None:
    """Kill a rank once its trial has a checkpoint."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if any(folder.glob(".automl/work/*/*/*/checkpoints/*.json")) and (found := followers(folder)):
            os.kill(found[0], signal.SIGKILL)
            killed.append(found[0])
            return
        time.sleep(0.02)


@pytest.mark.faults
@pytest.mark.parametrize("executor", ["local", pytest.param("ray", marks=pytest.mark.ray)])
def test_a_campaign_of_two_ranks_survives_the_death_of_one(executor: str, tmp_path: Path) -> None:
    (tmp_path / "divided.yaml").write_text(STUDY.replace("EXECUTOR", EXECUTORS[executor]))
    killed: list[int] = []
    killer = threading.Thread(target=kill_one, args=(tmp_path, killed))
    killer.start()
    done = automl(tmp_path, "run", "divided.yaml")
    killer.join()
    assert done.returncode == 0, done.stderr
    assert killed
    assert followers(tmp_path) == []
    audit = automl(tmp_path, "audit", "divided", "--json")
    assert audit.returncode == 0, audit.stdout
    report = json.loads(automl(tmp_path, "report", "divided", "--json").stdout)
    for name, trials in (("random", 2), ("darts", 1)):
        arm = report["arms"][name][0]
        assert arm["trials"]["complete"] == trials
        assert arm["best"]["value"] > 0.1
        assert len(arm["test"]) == 1


@pytest.mark.slow
def test_an_evaluator_that_cannot_divide_its_trials_says_so(tmp_path: Path) -> None:
    text = STUDY.replace("EXECUTOR", "{local: {cpus: 4, ranks: 4}}").replace(
        "batch_size: 128}}}", "batch_size: 4}}}"
    )
    (tmp_path / "divided.yaml").write_text(text)
    done = automl(tmp_path, "check", "divided.yaml")
    assert done.returncode == 2
    expected = "at most 2 ranks can train a trial of supernet together, but executor.local gives it 4"
    assert expected in " ".join(done.stderr.split())
