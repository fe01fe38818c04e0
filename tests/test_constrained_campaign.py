"""A whole campaign with constraints: who wins, what is recorded, exported and resumed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlflow
import pytest
import yaml

from automl.campaign import run_campaign
from automl.config import load_study
from automl.contracts import TrialState
from automl.export import export_config
from automl.ledger import Store
from automl.progress import QuietProgress
from automl.report import collect
from automl.storage import open_ledger

STRATEGIES = ("tpe", "gp", "nsga2", "regularized_evolution", "cmaes")
TPE = {"tpe": {"strategy": "tpe"}}
CODE = """
def objective(config, context):
    context.measured(size=config["width"] * 10)
    context.report(1, -config["width"])
    return {"loss": -config["width"], "slow": config["width"] / 10}
"""


def written(folder: Path, **changes: Any) -> Path:
    (folder / "bounded_code.py").write_text(CODE)
    study = {
        "name": "bounded",
        "task": {"metric": "loss", "direction": "minimize"},
        "constraints": {"size": {"at_most": 400}, "slow": {"at_most": 3.5}},
        "space": {"parameters": {"width": {"type": "int", "low": 1, "high": 99}}},
        "evaluator": {"function": {"call": "bounded_code:objective"}},
        "budget": {"trials": 12},
        "seeds": 1,
        "arms": {name.replace("_", "-"): {"strategy": name} for name in STRATEGIES},
        "executor": {"local": {"trials_at_once": 1}},
        "final": {"seeds": 0},
        **changes,
    }
    path = folder / "bounded.yaml"
    path.write_text(yaml.safe_dump(study))
    return path


def run(path: Path, store: Store) -> str:
    return run_campaign(load_study(path), store=store, progress=QuietProgress())


@pytest.mark.slow
def test_what_breaks_a_constraint_wins_nothing(store: Store, tmp_path: Path) -> None:
    campaign = run(written(tmp_path), store)
    with open_ledger(store) as ledger:
        report, trials = collect(ledger, campaign), ledger.trials(campaign=campaign)
        winner = export_config(ledger, campaign, tmp_path / "best.yaml", store=store)
    for trial in trials:
        width = int(str(trial.config["width"]))
        assert trial.state is (TrialState.COMPLETE if width <= 35 else TrialState.PRUNED), trial.id
        assert trial.metrics is not None and trial.metrics.get("size") == 10 * width
        assert ("slow" in trial.metrics) == (width <= 40), "above it ends before it is trained"
        assert (trial.values is None) == (width > 35)
    size, slow = report.constraints
    assert sum(size.broke.values()) == sum(int(str(one.config["width"])) > 40 for one in trials) > 0
    assert set(report.arms) >= {"random", "tpe", "gp"} and all(
        one.best is not None and -one.best.value <= 35 for arm in report.arms.values() for one in arm.searches
    )
    assert winner.certificate.constraints is not None
    assert winner.certificate.constraints["slow"].value <= 3.5
    assert winner.certificate.constraints["slow"].bounds == "at most 3.5"
    assert not slow.retrainings


@pytest.mark.slow
def test_a_grown_campaign_is_the_one_that_was_asked_for_at_once(store: Store, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    grown = run(written(tmp_path, budget={"trials": 6}), store)
    assert run(written(tmp_path), store) == grown
    whole = run(written(tmp_path, name="whole"), store)
    with open_ledger(store) as ledger:
        rows = [ledger.trials(campaign=one) for one in (grown, whole)]
    seen = [{trial.id.partition("/")[2]: (trial.config, trial.state) for trial in found} for found in rows]
    assert seen[0] == seen[1], "proposals after a restart know by how much earlier trials broke bounds"


@pytest.mark.slow
def test_other_constraints_are_another_campaign(store: Store, tmp_path: Path) -> None:
    first = run(written(tmp_path, budget={"trials": 3}, arms=TPE), store)
    changed = written(
        tmp_path,
        constraints={"slow": {"at_most": 2}},
        budget={"trials": 3},
        arms=TPE,
    )
    assert run(changed, store) != first


@pytest.mark.slow
def test_mlflow_has_what_was_measured_and_why_it_ended(store: Store, tmp_path: Path) -> None:
    campaign = run(written(tmp_path, budget={"trials": 4}, arms=TPE), store)
    client = mlflow.MlflowClient(tracking_uri=store.tracking_uri)
    experiments = [one.experiment_id for one in client.search_experiments()]
    runs = client.search_runs(experiments, filter_string="tags.`automl.kind` = 'trial'")
    ended = [one for one in runs if one.info.status == "KILLED"]
    assert ended and all("size" in one.data.metrics for one in ended), json.dumps(
        [one.data.tags for one in runs]
    )[:2000]
    assert all("constraint: " in json.dumps(one.data.tags) for one in ended)
    assert campaign
