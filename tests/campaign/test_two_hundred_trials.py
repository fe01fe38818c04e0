"""Two hundred trials, of which many fail in ways that may pass and in ways that do not."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import pytest

from automl.campaign import run_campaign
from automl.config import load_study
from automl.contracts import Ending, TrialState
from automl.ledger import Ledger, Store
from automl.progress import QuietProgress
from automl.recorder import audit

CODE = """
import os, signal
from automl.space import Float, Space

SPACE = Space({"x": Float(0.0, 1.0)})

def fragile(config, context):
    number = int(context.workdir.name)
    context.workdir.mkdir(parents=True, exist_ok=True)
    marks = context.workdir / "attempts"
    attempt = len(marks.read_text()) if marks.exists() else 0
    marks.write_text("x" * (attempt + 1))
    found = context.checkpoint.load()
    step = found[0] if found else 0
    context.report(step + 1, config["x"])
    context.checkpoint.save(step + 1, {"step": step + 1})
    if number % 5 == 1 and (attempt == 0 or number % 40 == 1):
        raise ConnectionError("the file system is away")
    if number % 20 == 2:
        bytearray(1 << 30)
    if number % 50 == 3 and (attempt == 0 or number == 103):
        os.kill(os.getpid(), signal.SIGKILL)
    return config["x"] + step
"""
STUDY = """
name: fragile
task: {metric: loss, direction: minimize}
space: "fragile_code:SPACE"
evaluator: {function: {call: "fragile_code:fragile"}}
budget: {trials: 200}
seeds: 1
arms: {random: {strategy: random}}
trial: {memory: 256MiB}
retry: {transient: 2, lost: 3, oom: 0, backoff: 0.05}
"""
EXECUTORS = ["{local: {isolate: true}}", pytest.param("{ray: {trials_at_once: 2}}", marks=pytest.mark.ray)]


@pytest.mark.slow
@pytest.mark.parametrize("executor", EXECUTORS)
def test_all_end_as_configured(executor: str, workspace: Path, store: Store, ledger: Ledger) -> None:
    (workspace / "fragile_code.py").write_text(CODE, encoding="utf-8")
    (workspace / "fragile.yaml").write_text(f"{STUDY}executor: {executor}\n", encoding="utf-8")
    study = load_study(workspace / "fragile.yaml")
    campaign = run_campaign(study, store=store, progress=QuietProgress())

    trials = {trial.number: trial for trial in ledger.trials(campaign)}
    attempts = {number: ledger.attempts(campaign)[trial.id] for number, trial in trials.items()}
    assert sorted(trials) == list(range(200))
    preempted = 0
    for number, trial in trials.items():
        endings = [attempt.ending for attempt in attempts[number]]
        own = [ending for ending in endings if ending is not Ending.PREEMPTED]
        preempted += len(endings) - len(own)
        unclear = endings[0] is Ending.PREEMPTED  # another job was in the lane of its worker
        assert own in (expected(number), expected(number)[1:] if unclear else None), (number, endings)
        failed = endings[-1] is not Ending.COMPLETE
        assert (trial.state is TrialState.FAILED) == failed
        assert trial.attempt == len(endings)
        assert math.isclose(trial.device_seconds, sum(a.device_seconds for a in attempts[number]))
        if trial.values and len(own) == 2:
            assert trial.values[0] >= 1.0, "the second attempt went on from the checkpoint"
    counted = Counter(ending for number in trials for ending in expected(number))
    assert counted[Ending.TRANSIENT] == 35 + 3 * 5
    assert (counted[Ending.OOM], counted[Ending.LOST]) == (10, 3 + 4)
    assert preempted <= (17 if "ray" in executor else 0), "one behind each trial that ended its worker"
    assert not audit.audit(store, ledger, campaign).faults


def expected(number: int) -> list[Ending]:
    """How the attempts of a trial end."""
    if number % 5 == 1:
        return 3 * [Ending.TRANSIENT] if number % 40 == 1 else [Ending.TRANSIENT, Ending.COMPLETE]
    if number % 20 == 2:
        return [Ending.OOM]
    if number % 50 == 3:
        return 4 * [Ending.LOST] if number == 103 else [Ending.LOST, Ending.COMPLETE]
    return [Ending.COMPLETE]
