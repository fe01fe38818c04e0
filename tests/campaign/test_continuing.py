"""An interrupted campaign is continued as it was begun; what changed must be accepted by the user."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from told import Told

from automl import schedule
from automl.campaign import Wanted, run_campaign
from automl.campaign.continuing import OnChange
from automl.config import load_study
from automl.config.schedule import Schedule
from automl.contracts import RunError, UserError
from automl.ledger import Ledger, Store
from automl.progress import QuietProgress
from automl.report import collect

CODE = """
import os
from going_space import SPACE

def objective(config, context):
    if not os.path.exists("go") and config["x"] > -9:
        raise KeyboardInterrupt
    return config["x"]
"""
SPACE = "from automl.space import Float, Space\nSPACE = Space({'x': Float(-1.0, 1.0)})\n"
STUDY = """
name: going
task: {metric: loss, direction: minimize}
space: "going_space:SPACE"
evaluator: {function: {call: "going_code:objective"}}
budget: {trials: 2}
seeds: 1
executor: local
final: {seeds: 0}
"""


@pytest.fixture
def study(workspace: Path, store: Store) -> Path:
    """A study whose campaign going-1 is interrupted."""
    (workspace / "going_code.py").write_text(CODE)
    (workspace / "going_space.py").write_text(SPACE)
    path = workspace / "going.yaml"
    path.write_text(STUDY)
    with pytest.raises(KeyboardInterrupt):
        run(path, store)
    (workspace / "go").touch()
    return path


def run(study: Path, store: Store, changed: OnChange = "refuse", told: Told | None = None) -> str:
    return run_campaign(
        load_study(study), store=store, wanted=Wanted(changed=changed), progress=told or QuietProgress()
    )


def edit(study: Path) -> None:
    with (study.parent / "going_code.py").open("a") as file:
        file.write("# better\n")


def test_what_has_not_changed_is_continued(study: Path, store: Store) -> None:
    assert run(study, store) == "going-1"


def test_edited_code_is_refused_by_name(study: Path, store: Store, ledger: Ledger) -> None:
    edit(study)
    with pytest.raises(
        UserError, match=r"since going-1 began.*\n  code.going_code.py: from \w+ to \w+\n.*--fresh"
    ):
        run(study, store)
    (row,) = ledger.campaigns()
    assert ledger.status(row) == "interrupted"


def test_imported_code_counts(study: Path, store: Store) -> None:
    (study.parent / "going_space.py").write_text(SPACE + "\n")
    with pytest.raises(UserError, match=r"code.going_space.py: from"):
        run(study, store)


@pytest.mark.slow
def test_accepted_changes_are_in_the_report(study: Path, store: Store, ledger: Ledger) -> None:
    edit(study)
    assert run(study, store, "accept") == "going-1"
    row = ledger.campaign("going-1")
    assert row is not None and "code.going_code.py: from" in row.provenance["accepted"][0]
    report = collect(ledger, "going-1")
    assert any("which was accepted: 20" in line and "going_code.py" in line for line in report.warnings)


@pytest.mark.slow
def test_a_trial_that_runs_at_every_death_is_told(study: Path, store: Store, ledger: Ledger) -> None:
    (study.parent / "go").unlink()
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            run(study, store)
    (study.parent / "go").touch()
    told = Told()
    assert run(study, store, told=told) == "going-1"
    assert any(
        line.startswith("going-1/random/0/0 ran at each of the last 3 times that its driver")
        for line in told.lines
    )
    assert [trial.state for trial in ledger.trials("going-1")] == ["complete", "complete"]


def test_what_was_accepted_is_not_asked_again(study: Path, store: Store, ledger: Ledger) -> None:
    (study.parent / "go").unlink()
    edit(study)
    with pytest.raises(KeyboardInterrupt):
        run(study, store, "accept")
    (study.parent / "go").touch()
    assert run(study, store) == "going-1"


def fires(study: Path, ledger: Ledger) -> int:
    """A firing of the study that a daemon has claimed."""
    planned = SimpleNamespace(name="going", schedule=Schedule(cron="* * * * *"))
    row = schedule.add(ledger, planned, study)  # type: ignore[arg-type]
    ledger.plan(schedule.slots_between, row.created_at + 61)
    firing = ledger.claim_firing("elsewhere:1:1", 1e9)
    assert firing is not None
    return firing.id


def run_firing(study: Path, store: Store, firing: int, told: Told | None = None) -> str:
    return run_campaign(
        load_study(study), store=store, wanted=Wanted(firing=firing), progress=told or QuietProgress()
    )


@pytest.mark.slow
def test_a_firing_adopts_an_interrupted_campaign(study: Path, store: Store, ledger: Ledger) -> None:
    firing = fires(study, ledger)
    assert run_firing(study, store, firing) == "going-1"
    bound = ledger.campaign_of_firing(firing)
    assert bound is not None and (bound.id, bound.recorded) == ("going-1", 2)


@pytest.mark.slow
def test_a_firing_leaves_what_has_changed_and_says_so(study: Path, store: Store, ledger: Ledger) -> None:
    edit(study)
    told = Told()
    assert run_firing(study, store, fires(study, ledger), told) == "going-2"
    assert any(
        "going-1 was interrupted and is left as it is; since it began, this has changed: code.going_code.py"
        in line
        for line in told.lines
    )


@pytest.mark.slow
def test_a_firing_never_starts_a_second_campaign(study: Path, store: Store, ledger: Ledger) -> None:
    firing = fires(study, ledger)
    (study.parent / "go").unlink()
    with pytest.raises(KeyboardInterrupt):
        run_firing(study, store, firing)
    edit(study)
    (study.parent / "go").touch()
    with pytest.raises(RunError, match=r"continue going-1 .* code.going_code.py: from .* next slot starts"):
        run_firing(study, store, firing)
    (study.parent / "going_code.py").write_text(CODE)
    assert run_firing(study, store, firing) == "going-1"
    with pytest.raises(RunError, match="this firing has run going-1 to its end; nothing was started"):
        run_firing(study, store, firing)
    assert [row.id for row in ledger.campaigns()] == ["going-1"]


@pytest.mark.slow
def test_a_firing_that_ended_starts_nothing(study: Path, store: Store, ledger: Ledger) -> None:
    edit(study)
    firing = fires(study, ledger)
    (row,) = ledger.firings()
    assert ledger.finish_firing(row, "failed", "for a test")
    with pytest.raises(RunError, match=rf"firing {firing} is failed with campaign \(none\); nothing was"):
        run_firing(study, store, firing)


@pytest.mark.slow
def test_a_changed_study_is_a_new_campaign_and_says_so(study: Path, store: Store) -> None:
    study.write_text(STUDY.replace("direction: minimize", "direction: maximize"))
    told = Told()
    assert run(study, store, told=told) == "going-2"
    assert any("none of its trials is used" in line and "task.metrics: from" in line for line in told.lines)


@pytest.mark.slow
def test_a_campaign_without_a_noted_identity_is_continued_and_this_is_said(
    study: Path, store: Store, ledger: Ledger
) -> None:
    row = ledger.campaign("going-1")
    assert row is not None
    ledger.set_provenance(row.id, {key: value for key, value in row.provenance.items() if key != "identity"})
    told = Told()
    assert run(study, store, told=told) == "going-1"
    assert any("did not note its code and data" in line for line in told.lines)


def test_the_same_files_in_another_folder_are_the_same(
    study: Path, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("going_code.py", "going_space.py", "going.yaml", "go"):
        (elsewhere / name).write_text((study.parent / name).read_text())
    for module in ("going_code", "going_space"):  # as in another process
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setattr(sys, "path", [folder for folder in sys.path if folder != str(study.parent)])
    assert run(elsewhere / "going.yaml", store) == "going-1"


def test_what_reading_the_data_found_out_stays_with_the_campaign(
    workspace: Path, store: Store, ledger: Ledger
) -> None:
    rows = [f"{number},{number % 7} %,{'ab'[number % 2]}" for number in range(40)]
    (workspace / "shares.csv").write_text("\n".join(["size,share,class", *rows]))
    (workspace / "shares.yaml").write_text("""
name: shares
task: {dataset: shares.csv, target: class, metric: accuracy}
space: tabular
evaluator: {pipeline: {folds: 2}}
budget: {trials: 1}
seeds: 1
executor: local
final: {seeds: 0}
""")
    row = ledger.campaign(run(workspace / "shares.yaml", store))
    assert row is not None
    (note,) = [line for line in row.provenance["data"]["notes"] if "share" in line]
    assert "%" in note
