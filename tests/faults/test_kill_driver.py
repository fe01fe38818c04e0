"""SIGKILL of the driver at random moments, then the same command again: nothing is lost or run twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from patience import PATIENCE

from automl.contracts import TrialState
from automl.ledger import resolve_store
from automl.storage import open_ledger

TRIALS, STEPS = 6, 5
SPACE = """
from automl.space import Float, Space
PLUGIN = Space({"x": Float(-1.0, 1.0), "y": Float(-1.0, 1.0)})
"""
CODE = """
import time
from pathlib import Path

def objective(config, context):
    found = context.checkpoint.load()
    start = found[0] if found else 0
    for step in range(start + 1, STEPS + 1):
        time.sleep(0.06)
        with open(Path(__file__).with_name("executed.txt"), "a") as log:
            log.write(f"{context.workdir.parent.name}/{context.workdir.name} {step}\\n")
        context.checkpoint.save(step, {"step": step})
        context.report(step, config["x"] ** 2 + config["y"] ** 2 + 1 / step)
    return config["x"] ** 2 + config["y"] ** 2
""".replace("STEPS", str(STEPS))
STUDY = """
name: killed
task: {metric: loss, direction: minimize}
space: "kill_space:PLUGIN"
evaluator: {function: {call: "kill_code:objective"}}
budget: {trials: %d}
seeds: [0, 1]
arms: {random: {strategy: random}, tpe: {strategy: tpe, pruner: median}}
executor: %s
final: {seeds: 0}
"""


def _write(folder: Path, executor: str) -> Path:
    folder.mkdir()
    (folder / "kill_space.py").write_text(SPACE)
    (folder / "kill_code.py").write_text(CODE)
    study = folder / "killed.yaml"
    study.write_text(STUDY % (TRIALS, executor))
    return study


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "automl.cli", *words]


def _run_killing(study: Path, env: dict[str, str], moments: list[float]) -> int:
    """Run the study, killing the driver that many seconds after each round's first step; rounds needed."""
    log = study.with_name("executed.txt")
    rounds = 0
    for moment in moments:
        rounds += 1
        before = log.stat().st_size if log.exists() else 0
        process = subprocess.Popen(
            _command("run", str(study)), env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while process.poll() is None and (log.stat().st_size if log.exists() else 0) == before:
            time.sleep(0.01)
        time.sleep(moment)
        if process.poll() is not None:
            assert process.returncode == 0
            return rounds
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    done = subprocess.run(
        _command("run", str(study)), env=env, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    return rounds + 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "executor",
    [
        "local",
        pytest.param("{ray: {trials_at_once: 2}}", marks=[pytest.mark.ray, pytest.mark.faults], id="ray"),
    ],
)
def test_driver_killed_at_random_moments(executor: str, tmp_path: Path) -> None:
    rng, began = random.Random(7), time.time()
    study = _write(tmp_path / "study", executor)
    env = {**os.environ, "AUTOML_STORE": str(tmp_path / "store")}
    rounds = _run_killing(study, env, [rng.uniform(0.05, 1.2) for _ in range(4)])
    assert rounds >= 3, "the study ended before it was killed twice: make it longer"

    ledger = open_ledger(resolve_store({"AUTOML_STORE": str(tmp_path / "store")}))
    campaigns = ledger.campaigns("killed")
    assert [row.state for row in campaigns] == ["finished"]
    trials = ledger.trials(campaign=campaigns[0].id)
    assert len(trials) == 4 * TRIALS
    assert {trial.state for trial in trials} <= {TrialState.COMPLETE, TrialState.PRUNED}
    assert all(search.state == "finished" for search in ledger.searches(campaigns[0].id))
    _each_step_ran_once(
        study.with_name("executed.txt"), crashes=rounds - 1, at_once=1 if executor == "local" else 2
    )
    for trial in trials:  # a trial paid at least for the sleeps of its steps, at most since the first start
        steps = len(ledger.reports(trials=[trial.id])[trial.id])
        assert 0.06 * steps <= trial.device_seconds <= time.time() - began

    audit = subprocess.run(
        _command("audit", "killed", "--json"), env=env, capture_output=True, text=True, timeout=PATIENCE
    )
    assert audit.returncode == 0, audit.stdout + audit.stderr
    found = json.loads(audit.stdout)
    assert found["trials"] == found["runs"] == 4 * TRIALS
    ledger.close()


def _each_step_ran_once(log: Path, *, crashes: int, at_once: int) -> None:
    """At most the one step that was in flight in each open trial runs again after a crash."""
    executed = Counter(log.read_text().splitlines())
    repeated = {line: count - 1 for line, count in executed.items() if count > 1}
    assert sum(repeated.values()) <= crashes * at_once, repeated


@pytest.mark.faults
def test_a_killed_search_goes_on_as_it_would_have(tmp_path: Path) -> None:
    """The configurations and values of a local campaign killed three times equal those of one left alone."""
    histories = []
    for name, moments in (("alone", []), ("killed", [0.3, 0.7, 0.45])):
        study = _write(tmp_path / name, "local")
        env = {**os.environ, "AUTOML_STORE": str(tmp_path / f"store-{name}")}
        _run_killing(study, env, moments)
        with open_ledger(resolve_store(env)) as ledger:
            trials = ledger.trials(campaign="killed-1")
        histories.append([(trial.id, trial.config, str(trial.state), trial.values) for trial in trials])
    assert histories[0] == histories[1]
