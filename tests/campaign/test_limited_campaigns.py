"""Campaigns that end at a limit: every search ends, nothing runs on, and the report says by which limit."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl.campaign import run_campaign
from automl.config import load_study
from automl.contracts import TrialState, UserError
from automl.ledger import Ledger, Store
from automl.progress import QuietProgress
from automl.report import collect

CODE = """
import time
from automl.space import Float, Space

SPACE = Space({"x": Float(0.0, 1.0)})

def quick(config, context):
    time.sleep(0.02)
    return config["x"]

def even(config, context):
    time.sleep(0.3)
    return config["x"]

def slow_final(config, context):
    time.sleep(10 if context.final else 0.02)
    return config["x"]

def silent(config, context):
    time.sleep(100)
    return config["x"]
"""
STUDY = """
name: limited
task: {metric: loss, direction: minimize}
space: "limited_code:SPACE"
evaluator: {function: {call: "limited_code:quick"}}
budget: {trials: 4}
seeds: 2
arms: {random: {strategy: random}}
final: {seeds: 2}
"""


@pytest.fixture
def study(workspace: Path) -> Path:
    (workspace / "limited_code.py").write_text(CODE)
    path = workspace / "limited.yaml"
    path.write_text(STUDY)
    return path


def run(study: Path, store: Store, *overrides: str) -> str:
    return run_campaign(load_study(study, overrides), store=store, progress=QuietProgress())


def test_a_reserve_leaves_time_for_the_retraining(study: Path, store: Store, ledger: Ledger) -> None:
    limits = ["limits.wall_seconds=2.5", "limits.reserve=true", "budget.trials=100000", "seeds=1"]
    campaign = run(study, store, *limits, "evaluator.function.call=limited_code:even", "final.seeds=1")
    trials = ledger.trials(campaign=campaign)
    (final,) = [trial for trial in trials if trial.kind == "final"]
    assert final.state is TrialState.COMPLETE
    assert 0.8 <= final.started_at - min(trial.started_at for trial in trials) <= 2.2
    (search,) = ledger.searches(campaign)
    assert search.reason is not None and search.reason.startswith("limits: the rest of its 2.5 wall seconds")


def test_a_reserve_needs_a_time(study: Path) -> None:
    with pytest.raises(UserError, match=r"limits.reserve: a reserve must be part of limits.wall_seconds"):
        load_study(study, ["limits.reserve=true"])
    assert "reserve" not in load_study(study, ["limits.wall_seconds=3"]).to_json()["limits"]


def test_without_limits_nothing_is_said(study: Path, store: Store, ledger: Ledger) -> None:
    campaign = run(study, store)
    row = ledger.campaign(campaign)
    assert row is not None and row.reason is None
    assert len(ledger.trials(campaign)) == 2 * (4 + 2)


@pytest.mark.parametrize(("most", "trials", "finals"), [(3, 3, 0), (9, 8, 1), (12, 8, 4)])
def test_trials_of_the_whole_campaign(
    study: Path, store: Store, ledger: Ledger, most: int, trials: int, finals: int
) -> None:
    campaign = run(study, store, f"limits.trials={most}")
    kinds = [trial.kind for trial in ledger.trials(campaign)]
    assert (kinds.count("trial"), kinds.count("final")) == (trials, finals)
    assert all(search.state == "finished" for search in ledger.searches(campaign))
    row = ledger.campaign(campaign)
    assert row is not None and row.state == "finished"
    cut = most < 12
    assert (row.reason is not None) == cut
    assert (
        any("ended early at one of its limits" in line for line in collect(ledger, campaign).warnings) == cut
    )


@pytest.mark.parametrize("limit", ["wall_seconds", "device_seconds"])
def test_a_silent_trial_is_cut_off_by_a_limit(study: Path, store: Store, ledger: Ledger, limit: str) -> None:
    for seconds in (0.5, 5.0, 50.0):  # the start of a campaign counts too, which is long on a full machine
        silent = "evaluator.function.call=limited_code:silent"
        campaign = run(study, store, f"limits.{limit}={seconds}", silent)
        if ledger.trials(campaign):
            break
    (trial,) = ledger.trials(campaign)
    row = ledger.campaign(campaign)
    assert row is not None and row.reason is not None
    assert (trial.state, trial.reason) == (TrialState.PRUNED, row.reason)
    assert row.reason.startswith(f"limits: the campaign has used its {seconds:g} ")
    assert trial.device_seconds < 15 + seconds
    assert {search.reason for search in ledger.searches(campaign)} == {row.reason}


def test_a_retraining_is_cut_off_too(study: Path, store: Store, ledger: Ledger) -> None:
    function = "evaluator.function.call=limited_code:slow_final"
    campaign = run(study, store, "limits.device_seconds=0.3", function)
    finals = [trial for trial in ledger.trials(campaign) if trial.kind == "final"]
    assert [(trial.state, trial.kind) for trial in finals] == [(TrialState.PRUNED, "final")]
    assert 0.25 < sum(trial.device_seconds for trial in ledger.trials(campaign)) < 15


def test_a_search_has_its_seconds_on_the_clock_one_after_the_other(
    study: Path, store: Store, ledger: Ledger
) -> None:
    for place, seconds in enumerate((0.3, 3.0, 30.0)):  # on a full machine one trial may take longer
        once = f"name=clock-{place}"  # the same campaign would grow
        campaign = run(study, store, f"budget={{wall_seconds: {seconds}}}", "final.seeds=0", once)
        own = [ledger.trials(search=search.id) for search in ledger.searches(campaign)]
        if all(len(trials) > 1 for trials in own):
            break
    assert all(len(trials) > 1 for trials in own)
    for search in ledger.searches(campaign):
        assert (search.reason or "").startswith("budget: "), "the clock ended it"
    spans = [(min(t.started_at for t in ts), max(t.finished_at or 0.0 for t in ts)) for ts in own]
    assert spans[0][1] <= spans[1][0] + 0.05, "the second began when the first had ended"
    assert all(end - start >= 0.8 * seconds for start, end in spans)


def test_a_continued_campaign_has_what_its_first_driver_left(
    study: Path, store: Store, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(QuietProgress):
        def update(self, searches: object) -> None:
            raise KeyboardInterrupt

    loaded = load_study(study, ["limits.wall_seconds=1000"])
    with pytest.raises(KeyboardInterrupt):
        run_campaign(loaded, store=store, progress=Interrupted())
    (first,) = ledger.drives("limited-1")
    with ledger._db._engine.execution_options(automl_write=True).begin() as connection:
        connection.exec_driver_sql("UPDATE drives SET started_at = started_at - 2000")
    assert run_campaign(loaded, store=store, progress=QuietProgress()) == "limited-1"
    row = ledger.campaign("limited-1")
    assert row is not None and row.reason == "limits: the campaign has used its 1000 wall seconds"
    assert first.token < ledger.drives("limited-1")[-1].token
