"""Whole campaigns of a trivial objective on `local`: what ends up in the ledger."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from automl.campaign import Wanted, run_campaign
from automl.checkpoints import CheckpointFolder
from automl.config import load_study
from automl.contracts import RunError, TrialState
from automl.ledger import Ledger, Store
from automl.progress import QuietProgress
from automl.recorder.audit import audit as recorder_audit

CODE = """
import os
from automl.space import Choice, Float, Int, Space
SPACE = Space({"x": Float(-1.0, 1.0), "n": Int(1, 4), "kind": Choice(["a", "b"])})

def objective(config, context):
    for step in range(1, 4):
        context.report(step, config["x"] ** 2 + 1 / step)
    return config["x"] ** 2

def two(config, context):
    return {"loss": config["x"] ** 2, "size": config["n"]}

def broken(config, context):
    raise ValueError("never works")

def checkpointing(config, context):
    if context.checkpoint.load():
        raise ValueError("a first attempt must find no checkpoint")
    context.checkpoint.save(1, {"x": config["x"]})
    context.report(1, config["x"] ** 2)
    return config["x"] ** 2

def interrupted(config, context):
    if not os.path.exists("go"):
        raise KeyboardInterrupt
    return config["x"] ** 2
"""
STUDY = """
name: toy
task: {metric: loss, direction: minimize}
space: "toy_code:SPACE"
evaluator: {function: {call: "toy_code:objective"}}
budget: {trials: 6}
seeds: 2
arms: {tpe: {strategy: tpe, pruner: median}}
executor: local
final: {seeds: 0}
"""

HOLDER = """
import sys, time
from automl.ledger import owner_identity, resolve_store
from automl.storage import open_ledger
ledger = open_ledger(resolve_store({"AUTOML_STORE": sys.argv[1]}))
ledger.acquire("toy-1", owner_identity())
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def study(workspace: Path) -> Path:
    (workspace / "toy_code.py").write_text(CODE)
    path = workspace / "toy.yaml"
    path.write_text(STUDY)
    return path


def run(study: Path, store: Store, *overrides: str, fresh: bool = False) -> str:
    wanted = Wanted(fresh=fresh, same_seeds=True)
    return run_campaign(load_study(study, overrides), store=store, wanted=wanted, progress=QuietProgress())


def test_all_arms_and_seeds_run_to_their_budget(study: Path, store: Store, ledger: Ledger) -> None:
    assert run(study, store) == "toy-1"
    searches = ledger.searches("toy-1")
    assert [(s.arm, s.seed) for s in sorted(searches, key=lambda s: s.id)] == [
        ("random", 0),
        ("random", 1),
        ("tpe", 0),
        ("tpe", 1),
    ]
    trials = ledger.trials(campaign="toy-1")
    assert len(trials) == 24
    for search in searches:
        own = [t for t in trials if t.search == search.id]
        complete = [t for t in own if t.state is TrialState.COMPLETE]
        assert len(own) == 6
        assert sorted(t.told for t in own if t.told is not None) == list(range(6))
        best = min(complete, key=lambda t: t.values[0] if t.values else 9.0)
        assert search.winner == best.id
    campaign = ledger.campaign("toy-1")
    assert campaign is not None
    assert campaign.state == "finished"
    assert run(study, store) == "toy-1", "it has all that is asked for"
    assert len(ledger.trials(campaign="toy-1")) == 24


def test_same_seed_same_search_other_seed_other_search(study: Path, store: Store, ledger: Ledger) -> None:
    run(study, store)
    run(study, store, fresh=True)
    configs = {
        name: [t.config for t in ledger.trials(search=f"{name}/0")] for name in ("toy-1/tpe", "toy-2/tpe")
    }
    assert configs["toy-1/tpe"] == configs["toy-2/tpe"]
    assert configs["toy-1/tpe"] != [t.config for t in ledger.trials(search="toy-1/tpe/1")]


@pytest.mark.slow
@pytest.mark.ray
def test_both_executors_propose_the_same(study: Path, store: Store, ledger: Ledger) -> None:
    run(study, store)
    run(study, store, "executor={ray: {trials_at_once: 1}}")
    local, on_ray = (
        [(t.search.partition("/")[2], t.number, t.config, t.values) for t in ledger.trials(campaign=name)]
        for name in ("toy-1", "toy-2")
    )
    assert local == on_ray


def test_a_team_shares_a_store(study: Path, any_store: Store, any_ledger: Ledger) -> None:
    run(study, any_store)
    assert len(any_ledger.trials(campaign="toy-1")) == 24
    audit = recorder_audit(any_store, any_ledger, "toy-1")
    assert audit.trials == audit.runs == 24
    assert audit.faults == {}


def test_two_metrics(study: Path, store: Store, ledger: Ledger) -> None:
    text = study.read_text().replace("toy_code:objective", "toy_code:two")
    text = text.replace("{metric: loss, direction: minimize}", "{metrics: {loss: minimize, size: minimize}}")
    study.write_text(text.replace(", pruner: median", ""))
    run(study, store)
    trials = ledger.trials(campaign="toy-1")
    assert all(t.values is not None and len(t.values) == 2 for t in trials)


def test_a_hopeless_objective_stops_and_says_why(study: Path, store: Store, ledger: Ledger) -> None:
    study.write_text(study.read_text().replace("toy_code:objective", "toy_code:broken"))
    run(study, store)
    for search in ledger.searches("toy-1"):
        assert search.reason == "failures: 5 trials in a row failed; the last: ValueError: never works"
        assert search.winner is None
    trial = ledger.trials(campaign="toy-1")[0]
    assert trial.state is TrialState.FAILED
    assert "never works" in (trial.traceback or "")


def test_only_the_winner_keeps_its_checkpoint(study: Path, store: Store, ledger: Ledger) -> None:
    left = CheckpointFolder(store.folder / "work" / "toy-1" / "random-0" / "0" / "checkpoints")
    left.save(9, {"x": 0.0})  # of an earlier campaign whose ledger somebody deleted
    study.write_text(study.read_text().replace("toy_code:objective", "toy_code:checkpointing"))
    run(study, store, "seeds=1", "arms={random: {strategy: random}}")
    winner = ledger.searches("toy-1")[0].winner
    kept = {
        trial.id
        for trial in ledger.trials(campaign="toy-1")
        if list(Path(trial.workdir or "").glob("*/*.pt"))
    }
    assert kept == {winner}
    recorded = list(Path(store.artifacts).glob("**/checkpoint/step-00000001.pt"))
    assert len(recorded) == 1


def test_an_interrupted_campaign_is_continued(study: Path, store: Store, ledger: Ledger) -> None:
    study.write_text(study.read_text().replace("toy_code:objective", "toy_code:interrupted"))
    with pytest.raises(KeyboardInterrupt):
        run(study, store)
    campaign = ledger.campaign("toy-1")
    assert campaign is not None
    assert ledger.status(campaign) == "interrupted"
    assert [t.state for t in ledger.trials(campaign="toy-1")] == [TrialState.RUNNING]

    Path("go").touch()
    assert run(study, store) == "toy-1"
    trials = ledger.trials(campaign="toy-1")
    assert len(trials) == 24
    assert {t.state for t in trials} == {TrialState.COMPLETE}
    assert sorted(t.attempt for t in trials) == [1] * 23 + [2]


def test_a_changed_study_starts_anew(study: Path, store: Store, ledger: Ledger) -> None:
    study.write_text(study.read_text().replace("toy_code:objective", "toy_code:interrupted"))
    with pytest.raises(KeyboardInterrupt):
        run(study, store)
    Path("go").touch()
    assert run(study, store, 'arms={"random": {"strategy": "random"}, "tpe": {"strategy": "gp"}}') == "toy-2"
    assert run(study, store, fresh=True) == "toy-3"


def test_a_campaign_has_one_driver(study: Path, store: Store, ledger: Ledger) -> None:
    study.write_text(study.read_text().replace("toy_code:objective", "toy_code:interrupted"))
    with pytest.raises(KeyboardInterrupt):
        run(study, store)
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(store.folder)], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(RunError, match="is being run by"):
            run(study, store)
    finally:
        holder.kill()
        holder.communicate()
    Path("go").touch()
    assert run(study, store) == "toy-1", "a dead driver is replaced at once"
