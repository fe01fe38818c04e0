"""Campaigns of trials with impossible texts, names and values: store, report, MLflow and audit hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

from automl.campaign import run_campaign
from automl.config import load_study
from automl.contracts import TrialState, UserError
from automl.ledger import Ledger, Store
from automl.progress import QuietProgress
from automl.recorder.audit import audit
from automl.report import collect, html, terminal

CODE = r"""
import asyncio, os, shutil
from automl.contracts import Result
from automl.space import Choice, Float, Int, Space

LONG = ["a" * 7000, "caf\udce9", "n\0l", "", 10**299]
SPACE = Space({"n": Int(1, 16), "x": Float(5e-324, 1e300, log=True), "long": Choice(LONG)})

def objective(config, context):
    n = config["n"]
    if n == 1: raise ValueError("caf\udce9.png \0 " + "x" * 7000)
    if n == 2: raise asyncio.CancelledError
    if n == 3: os._exit(1)
    if n == 4: return 1e308
    if n == 5: return -1e308
    if n == 6: context.report(0.5, 1.0)
    if n == 7: context.report(2**63, 1.0)
    if n == 8: context.report(2**62, 5e-324)
    if n == 9: context.report(1, 1.0, **{"acc@1": 1e308, "caf\udce9": 2.0, "l" * 7000: 1.0})
    if n == 10: return {"loss": 1.0, "acc@1": 0.5, "n\0l": 1.0}
    if n == 11: return Result({"loss": 1.0}, {"a\udce9": float("inf")}, note="caf\udce9")
    if n == 12: return Result({}, stopped="caf\udce9")
    if n == 13: shutil.rmtree(context.workdir, ignore_errors=True)
    if n == 14: os.chdir("/")
    if n == 15: raise SystemExit("caf\udce9")
    return n / 100

def failing(config, context):
    raise ValueError("bad file name: caf\udce9.png")
"""
STUDY = """
name: hostile
task: {metric: loss, direction: minimize}
space: "hostile_code:SPACE"
evaluator: {function: {call: "hostile_code:objective"}}
budget: {trials: 30}
seeds: 1
arms: {grid: {strategy: random}}
executor: local
final: {seeds: 1}
"""


@pytest.fixture
def study(workspace: Path) -> Path:
    (workspace / "hostile_code.py").write_text(CODE)
    path = workspace / "hostile.yaml"
    path.write_text(STUDY)
    return path


def run(study: Path, store: Store, *overrides: str) -> str:
    return run_campaign(load_study(study, overrides), store=store, progress=QuietProgress())


@pytest.mark.slow
def test_a_campaign_holds(study: Path, store: Store, ledger: Ledger, tmp_path: Path) -> None:
    campaign = run(study, store, "arms.grid={strategy: {quasi_random: {}}}", "budget.trials=40")
    report = collect(ledger, campaign)
    seen = {int(str(trial.config["n"])) for trial in report.evaluations}
    assert len(seen) > 12
    (tmp_path / "page.html").write_text(html(report), encoding="utf-8")
    json.dumps(report.to_json(), allow_nan=False)
    with (tmp_path / "terminal.txt").open("w", encoding="utf-8") as file:
        Console(file=file).print(terminal(report))
    assert audit(store, ledger, campaign).faults == {}
    failed = {
        trial.config["n"] for trial in ledger.trials(campaign=campaign) if trial.state is TrialState.FAILED
    }
    assert failed <= {1, 2, 3, 4, 5, 6, 7, 15}


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["tpe", "cmaes", "regularized_evolution", "local_search"])
def test_strategies_and_pruners_hold(strategy: str, study: Path, store: Store, ledger: Ledger) -> None:
    fix = "space={name: 'hostile_code:SPACE', fix: {x: 1.0, long: ''}}"
    campaign = run(study, store, fix, f"arms.grid={{strategy: {strategy}, pruner: median}}")
    assert all(search.state == "finished" for search in ledger.searches(campaign))
    assert audit(store, ledger, campaign).faults == {}


def test_a_search_that_only_fails_ends_and_says_why(study: Path, store: Store, ledger: Ledger) -> None:
    campaign = run(study, store, "evaluator.function.call=hostile_code:failing")
    for search in ledger.searches(campaign):
        assert search.reason is not None and search.reason.startswith("failures: 5 trials in a row failed")
        assert r"caf\udce9.png" in search.reason


@pytest.mark.parametrize("name", ["device_seconds", "trials_failed", "trials_complete"])
def test_metrics_that_every_trial_has_are_refused(name: str, study: Path) -> None:
    with pytest.raises(UserError, match=rf"recorded for every trial .*but got '{name}'"):
        load_study(study, [f"task.metric={name}"])


@pytest.mark.parametrize("name", ["acc@1", "a/b c", "../x", "m" * 7000])
def test_names_that_mlflow_refuses_are_recorded(name: str, study: Path, store: Store, ledger: Ledger) -> None:
    study.write_text(study.read_text().replace("metric: loss", f"metric: {json.dumps(name)}"))
    campaign = run(study, store, "space={name: 'hostile_code:SPACE', fix: {n: 16}}", "budget.trials=2")
    assert audit(store, ledger, campaign).faults == {}
    html(collect(ledger, campaign))
