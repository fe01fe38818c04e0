"""Whole campaigns whose arms hold different amounts: on this machine and on Ray."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import accumulate
from pathlib import Path

import pytest
from patience import PATIENCE

STUDY = """
name: sizes
task: {metric: loss, direction: minimize}
space: "held:SPACE"
evaluator: {function: {call: "held:objective"}}
budget: {device_seconds: 4}
seeds: 2
arms:
  random: {strategy: random}
  large: {strategy: tpe, cpus: 2}
executor: EXECUTOR
final: {seeds: 0}
"""
OBJECTIVE = """
import json
import time
from pathlib import Path

import torch

from automl.space import Float, Space

SPACE = Space({"x": Float(0, 1)})


def objective(config, context):
    began, threads = time.time(), torch.get_num_threads()
    for step in range(1, 5):
        time.sleep(0.1)
        context.report(step, config["x"])
    with Path("LOG").open("a") as log:
        log.write(json.dumps([began, time.time(), threads]) + chr(10))
    return config["x"]
"""


def automl(folder: Path, *words: str) -> str:
    command = [sys.executable, "-m", "automl.cli", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "executor", ["local", pytest.param("{ray: {cpus: 1}}", marks=pytest.mark.ray)], ids=["local", "ray"]
)
def test_arms_of_one_and_two_cpus_have_equal_budgets_and_never_hold_more_than_there_is(
    tmp_path: Path, executor: str
) -> None:
    (tmp_path / "sizes.yaml").write_text(STUDY.replace("EXECUTOR", executor))
    (tmp_path / "held.py").write_text(OBJECTIVE.replace("LOG", str(tmp_path / "log")))
    automl(tmp_path, "run", "sizes.yaml")
    runs = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    for held in (1, 2):
        cost = sum(ended - began for began, ended, threads in runs if threads == held) * held
        assert 6.0 < cost < 9.0, "two seeds of four device-seconds, whose last trials may be cut off"
    changes = sorted(change for began, ended, n in runs for change in ((began, n), (ended, -n)))
    assert max(accumulate(change for _, change in changes)) <= 2, "CPUs at a time"
    automl(tmp_path, "audit", "sizes-1")
