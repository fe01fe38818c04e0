"""Campaigns whose quota is used up: they end as by a limit and can be resumed, or wait; or never start."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from patience import PATIENCE

from automl.campaign import run_campaign
from automl.config import load_study
from automl.contracts import RunError, TrialState
from automl.ledger import Ledger, Store
from automl.progress import QuietProgress

CODE = """
import time
from automl.space import Float, Space

SPACE = Space({"x": Float(0.0, 1.0)})

def short(config, context):
    time.sleep(0.05)
    return config["x"]
"""
STUDY = """
name: charged
task: {metric: loss, direction: minimize}
space: "charged_code:SPACE"
evaluator: {function: {call: "charged_code:short"}}
budget: {trials: 6}
seeds: 1
arms: {random: {strategy: random}}
final: {seeds: 1}
"""


class Told(QuietProgress):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def message(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture
def study(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AUTOML_USER", "ann")
    monkeypatch.setattr("automl.campaign.quota.LOOK", 0.02)
    monkeypatch.setattr("automl.campaign.sharing.LOOK", 0.02)
    (workspace / "charged_code.py").write_text(CODE)
    path = workspace / "charged.yaml"
    path.write_text(STUDY)
    return path


def run(study: Path, store: Store, *overrides: str, told: Told | None = None) -> str:
    return run_campaign(load_study(study, overrides), store=store, progress=told or Told())


@pytest.mark.slow
def test_a_quota_that_is_used_up_ends_a_campaign_which_can_be_resumed(
    study: Path, store: Store, ledger: Ledger
) -> None:
    ledger.set_quota("user", "ann", "week", 0.15, "root@here")
    campaign = run(study, store)
    row = ledger.campaign(campaign)
    assert row is not None and row.state == "finished" and row.was_stopped
    assert (row.reason or "").startswith(
        "stopped by the quota of 4.16667e-05 device-hours a week of user ann"
    )
    assert "it begins anew at" in (row.reason or "")
    trials = ledger.trials(campaign)
    assert 1 <= len(trials) < 6 and {one.kind for one in trials} == {"trial"}, "nothing is retrained"
    assert {search.reason for search in ledger.searches(campaign)} == {row.reason}
    with pytest.raises(RunError, match=r"used up .*nothing was started"):
        run(study, store)
    assert len(ledger.campaigns()) == 1

    ledger.set_quota("user", "ann", "week", 60.0, "root@here")
    ledger.ask(campaign, campaign, "resume", "ann@here")
    assert run(study, store) == campaign
    row = ledger.campaign(campaign)
    assert row is not None and (row.state, row.reason) == ("finished", None)
    whole = [one for one in ledger.trials(campaign) if one.kind == "trial"]
    assert len(whole) == 6 and sum(one.state is TrialState.PRUNED for one in whole) <= 1


def test_a_campaign_waits_for_its_quota_when_asked(study: Path, store: Store, ledger: Ledger) -> None:
    ledger.set_quota("study", "charged", "total", 0.12, "root@here")
    told = Told()

    def raised() -> None:
        end = time.monotonic() + PATIENCE
        with Ledger(store) as own:
            while time.monotonic() < end:
                row = own.shares().get("charged-1")
                if row is not None and row.waits_for:
                    break
                time.sleep(0.02)
            own.set_quota("study", "charged", "total", 60.0, "root@here")

    thread = threading.Thread(target=raised)
    thread.start()
    campaign = run(study, store, "over_quota=wait", told=told)
    thread.join()
    row = ledger.campaign(campaign)
    assert row is not None and (row.state, row.reason) == ("finished", None)
    assert len(ledger.trials(campaign)) == 7
    assert any("nothing new starts until it has room again" in line for line in told.lines)
    assert "its quota has room again: it goes on" in told.lines


def test_the_quotas_of_others_are_no_matter(study: Path, store: Store, ledger: Ledger) -> None:
    ledger.set_quota("user", "bob", "week", 0.0, "root@here")
    ledger.set_quota("study", "another", "total", 0.0, "root@here")
    row = ledger.campaign(run(study, store))
    assert row is not None and row.reason is None and row.begun_by == "ann"


@pytest.mark.slow
def test_priority_and_what_follows_a_quota_may_change_between_runs(
    study: Path, store: Store, ledger: Ledger
) -> None:
    campaign = run(study, store, "priority=low")
    assert run(study, store, "priority=100", "over_quota=wait", "budget.trials=7") == campaign
    assert ledger.shares()[campaign].priority == 100
