"""A small study that grows, and what is looked at of its campaigns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from told import Told

from automl.campaign import Wanted, run_campaign
from automl.config import load_study
from automl.ledger import Ledger, Store, TrialRow
from automl.progress import QuietProgress
from automl.recorder.audit import audit

CODE = """
import time
from automl.space import Choice, Float, Int, Space
SPACE = Space({"x": Float(-1.0, 1.0), "n": Int(1, 4), "kind": Choice(["a", "b"])})

def objective(config, context):
    for step in range(1, 4):
        context.report(step, config["x"] ** 2 + config["n"] / 10 + 1 / step)
    return config["x"] ** 2 + config["n"] / 10

def slow(config, context):
    time.sleep(0.05)
    return config["x"] ** 2
"""
STUDY = """
name: growing
task: {metric: loss, direction: minimize}
space: "growing_code:SPACE"
evaluator: {function: {call: "growing_code:objective"}}
budget: {trials: 3}
seeds: 2
arms: {random: {strategy: random}, tpe: {strategy: tpe}}
executor: local
final: {seeds: 0}
"""


def run(study: Path, store: Store, *overrides: str, told: Told | None = None, **wanted: Any) -> str:
    loaded = load_study(study, overrides)
    return run_campaign(loaded, store=store, wanted=Wanted(**wanted), progress=told or QuietProgress())


def of_search(trial: TrialRow) -> tuple[Any, ...]:
    search = trial.search.partition("/")[2]
    return search, trial.kind, trial.number, trial.config, trial.seed, trial.state, trial.values, trial.told


def content(ledger: Ledger, campaign: str) -> list[tuple[Any, ...]]:
    """All that does not depend on the clock."""
    return sorted(map(of_search, ledger.trials(campaign=campaign)), key=lambda row: row[:3])


def differences(store: Store, ledger: Ledger, campaign: str) -> list[str]:
    """What MLflow has otherwise than the ledger."""
    found = audit(store, ledger, campaign)
    return [*found.missing, *found.duplicate, *found.stuck, *found.different]
