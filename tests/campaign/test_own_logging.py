"""Objectives that log to MLflow by themselves: it lands in the run of their trial, and the audit holds."""

from __future__ import annotations

import os
from pathlib import Path

import mlflow
import pytest
from mlflow.entities import Run

from automl.campaign import run_campaign
from automl.config import load_study
from automl.ledger import Ledger, Store
from automl.progress import QuietProgress
from automl.recorder.audit import audit
from automl.recorder.experiments import make_client

CODE = """
import subprocess, sys
import mlflow
from automl.space import Float, Space

SPACE = Space({"x": Float(0.0, 1.0)})

def plain(config, context):
    mlflow.log_metric("own", config["x"])
    mlflow.log_param("own_param", config["x"])
    mlflow.log_param("x", config["x"])
    mlflow.set_tag("own_tag", "mine")
    return config["x"]

def in_a_block(config, context):
    with mlflow.start_run():
        mlflow.log_metrics({"own": config["x"]}, step=3)
    return config["x"]

def pruned_in_a_block(config, context):
    with mlflow.start_run():
        mlflow.log_metric("own", config["x"])
        context.report(1, config["x"])
        import optuna
        raise optuna.TrialPruned

def fails(config, context):
    mlflow.log_metric("own", config["x"])
    raise ValueError("after logging")

def nested(config, context):
    with mlflow.start_run():
        with mlflow.start_run(nested=True):
            mlflow.log_metric("inner", 1.0)
        mlflow.log_metric("own", config["x"])
    return config["x"]

def leaves_it_open(config, context):
    mlflow.start_run()
    mlflow.log_metric("own", config["x"])
    mlflow.log_text("text", "own.txt")
    return config["x"]

def silent(config, context):
    return config["x"]

def in_a_child(config, context):
    code = f"import mlflow; mlflow.log_metric('own', {config['x']})"
    subprocess.run([sys.executable, "-c", code], check=True)
    return config["x"]
"""
STUDY = """
name: logs
task: {metric: loss, direction: minimize}
space: "logging_code:SPACE"
evaluator: {function: {call: "logging_code:plain"}}
budget: {trials: 3}
seeds: 1
arms: {random: {strategy: random}}
executor: local
final: {seeds: 1}
"""


@pytest.fixture
def study(workspace: Path) -> Path:
    (workspace / "logging_code.py").write_text(CODE)
    path = workspace / "logs.yaml"
    path.write_text(STUDY)
    return path


def run(study: Path, store: Store, ledger: Ledger, *overrides: str) -> dict[str, Run]:
    """The runs of the trials of a campaign by identity."""
    before = _environment()
    campaign = run_campaign(load_study(study, overrides), store=store, progress=QuietProgress())
    assert _environment() == before and mlflow.active_run() is None
    assert audit(store, ledger, campaign).faults == {}
    assert not list(study.parent.glob("mlflow.db")) and not list(study.parent.glob("mlruns"))
    client = make_client(store)
    experiment = client.get_experiment_by_name("logs")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], 'tags."automl.kind" != "search"')
    return {run.data.tags["automl.id"]: run for run in runs if run.data.tags["automl.kind"] != "campaign"}


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("MLFLOW_")}


@pytest.mark.parametrize(
    ("objective", "status", "kinds"),
    [
        ("plain", "FINISHED", {"trial", "final"}),
        ("in_a_block", "FINISHED", {"trial", "final"}),
        ("pruned_in_a_block", "KILLED", {"trial"}),
        ("fails", "FAILED", {"trial"}),
        ("nested", "FINISHED", {"trial", "final"}),
        ("leaves_it_open", "FINISHED", {"trial", "final"}),
        pytest.param("in_a_child", "FINISHED", {"trial", "final"}, marks=pytest.mark.slow),
    ],
)
def test_it_lands_in_the_trials_run(
    objective: str, status: str, kinds: set[str], study: Path, store: Store, ledger: Ledger
) -> None:
    runs = run(study, store, ledger, f"evaluator.function.call=logging_code:{objective}")
    trials = {trial.id: trial for trial in ledger.trials(campaign="logs-1")}
    assert set(runs) == set(trials) and {trial.kind for trial in trials.values()} == kinds
    for identity, stored in runs.items():
        assert stored.info.status == status, trials[identity].reason
        assert stored.data.metrics["own"] == trials[identity].config["x"]
        assert stored.info.end_time is not None
    if objective == "plain":
        assert all(stored.data.params["own_param"] == stored.data.params["x"] for stored in runs.values())


def test_a_trial_runs_without_its_run_while_mlflow_is_away(
    study: Path, store: Store, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    from automl.recorder.follower import Follower

    def away(*_: object) -> None:
        raise ConnectionError("no server")

    monkeypatch.setattr(Follower, "begin", away)
    runs = run(study, store, ledger, "evaluator.function.call=logging_code:silent")
    assert len(runs) == 4


@pytest.mark.slow
@pytest.mark.ray
def test_it_lands_there_on_ray_too(study: Path, store: Store, ledger: Ledger) -> None:
    runs = run(study, store, ledger, "executor={ray: {trials_at_once: 1, cpus: 1}}")
    assert len(runs) == 4
    assert all("own" in stored.data.metrics and "own_param" in stored.data.params for stored in runs.values())
