"""Two drivers on one Ray cluster: equal budgets end together, and both never hold more than it has."""

from __future__ import annotations

import subprocess
import sys
from itertools import accumulate
from pathlib import Path

import pytest
from patience import PATIENCE
from ray_head import environment, head

from automl.ledger import resolve_store
from automl.storage import open_ledger

CPUS, TRIALS, SECONDS = 4, 60, 1.0
CODE = """
import os, time
from automl.space import Float, Space
SPACE = Space({"x": Float(0.0, 1.0)})

def note(what):
    log = os.open("EVENTS", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(log, f"{time.monotonic()} {what}\\n".encode())
    os.close(log)

def objective(config, context):
    note(1)
    time.sleep(SECONDS)
    note(-1)
    return config["x"]
"""
STUDY = """
name: NAME
task: {metric: loss, direction: minimize}
space: "clustered_code:SPACE"
evaluator: {function: {call: "clustered_code:objective"}}
budget: {trials: TRIALS}
seeds: 1
arms: {random: {strategy: random}}
executor: {ray: {address: "ADDRESS"}}
final: {seeds: 0}
"""


@pytest.mark.faults
@pytest.mark.ray
def test_two_drivers_with_equal_budgets_on_one_cluster_end_together(tmp_path: Path) -> None:
    code = CODE.replace("SECONDS", str(SECONDS)).replace("EVENTS", str(tmp_path / "events"))
    (tmp_path / "clustered_code.py").write_text(code)
    store = tmp_path / "store"
    with head(cpus=CPUS, RAY_AUTH_MODE="disabled") as address:
        drivers = []
        for name in ("one", "two"):
            text = STUDY.replace("ADDRESS", address).replace("TRIALS", str(TRIALS)).replace("NAME", name)
            (tmp_path / f"{name}.yaml").write_text(text)
            with (tmp_path / f"{name}.log").open("wb") as log:
                command = [
                    Path(sys.executable).with_name("automl"),
                    "run",
                    f"{name}.yaml",
                    "--progress",
                    "log",
                ]
                variables = environment(AUTOML_STORE=str(store), RAY_AUTH_MODE="disabled")
                drivers.append(subprocess.Popen(command, cwd=tmp_path, env=variables, stdout=log, stderr=log))
        try:
            codes = [driver.wait(PATIENCE) for driver in drivers]
        finally:
            for driver in drivers:
                driver.kill()
    logs = [(tmp_path / f"{name}.log").read_text() for name in ("one", "two")]
    assert codes == [0, 0], logs
    events = sorted(line.split() for line in (tmp_path / "events").read_text().splitlines())
    assert max(accumulate(int(change) for _, change in events)) <= CPUS
    with open_ledger(resolve_store({"AUTOML_STORE": str(store)}, tmp_path)) as ledger:
        trials = [ledger.trials(f"{name}-1") for name in ("one", "two")]
    began = max(min(trial.started_at for trial in own) for own in trials)
    ends = [max(trial.finished_at or 0.0 for trial in own) - began for own in trials]
    sys.stderr.write(f"\nend of two equal budgets: {ends[0]:.1f} s and {ends[1]:.1f} s\n")
    assert abs(ends[0] - ends[1]) <= 0.1 * max(ends), logs
