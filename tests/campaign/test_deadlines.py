"""Trials that report nothing end with their search's budget, and their cost is charged."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl.campaign import run_campaign
from automl.config import load_study
from automl.ledger import resolve_store
from automl.progress import QuietProgress
from automl.storage import open_ledger

CODE = """
import time
from automl.space import Float, Space

SPACE = Space({"x": Float(0.0, 1.0)})

def silent(config, context):
    time.sleep(600)
    return config["x"]
"""
STUDY = """
name: silent
task: {metric: loss, direction: minimize}
space: "silent_code:SPACE"
evaluator: {function: {call: "silent_code:silent"}}
budget: {device_seconds: 5, trials: 4}
seeds: 1
arms: {random: {strategy: random}}
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "executor",
    [
        "local",
        "{local: {isolate: true}}",
        pytest.param("{ray: {trials_at_once: 2}}", marks=pytest.mark.ray),
    ],
)
def test_silent_trials_end_with_the_budget(executor: str, tmp_path: Path) -> None:
    (tmp_path / "silent_code.py").write_text(CODE, encoding="utf-8")
    (tmp_path / "study.yaml").write_text(f"{STUDY}executor: {executor}\n", encoding="utf-8")
    store = resolve_store({}, tmp_path)
    campaign = run_campaign(load_study(tmp_path / "study.yaml"), store=store, progress=QuietProgress())
    with open_ledger(store) as ledger:
        trials = ledger.trials(campaign=campaign)
        search = ledger.searches(campaign)[0]
    clock = max(trial.finished_at or 0.0 for trial in trials) - min(trial.started_at for trial in trials)
    assert clock < 500.0, "none of them slept to its end, however busy the machine"
    assert {trial.state for trial in trials} == {"pruned"}
    assert all((trial.reason or "").startswith("budget: ") for trial in trials)
    assert 5.0 <= sum(trial.device_seconds for trial in trials) < 60.0
    assert (search.reason or "").startswith("budget: ")
