"""A campaign as Optuna studies: every trial, with the values the ledger has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest

from automl.contracts import TrialState, UserError
from automl.ledger import Ledger, NewTrial
from automl.strategies.optuna_storage import IDENTITY, export_optuna


@pytest.mark.slow
def test_every_trial_arrives_once(finished: Any, finished_ledger: Ledger, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/optuna.db"
    names = export_optuna(finished_ledger, finished.campaign, url)
    assert export_optuna(finished_ledger, finished.campaign, url) == names
    assert sorted(optuna.get_all_study_names(storage=url)) == sorted(names)
    reports = finished_ledger.reports(campaign=finished.campaign)
    for search in finished_ledger.searches(finished.campaign):
        study = optuna.load_study(study_name=search.id, storage=url)
        rows = {t.id: t for t in finished_ledger.trials(search=search.id) if t.kind == "trial"}
        assert len(study.trials) == len(rows)
        for trial in study.trials:
            row = rows[trial.user_attrs[IDENTITY]]
            assert trial.params == row.config
            assert trial.state == optuna.trial.TrialState.COMPLETE
            assert trial.values == row.values
            assert trial.intermediate_values == {r.step: r.value for r in reports[row.id]}
            assert trial.datetime_start is not None
            assert trial.datetime_start.timestamp() == pytest.approx(row.started_at, abs=1e-3)
        assert study.direction == optuna.study.StudyDirection.MAXIMIZE


def test_failed_and_running_trials(finished: Any, finished_ledger: Ledger, tmp_path: Path) -> None:
    row = finished_ledger.campaign(finished.campaign)
    assert row is not None
    spec = {**row.spec, "name": "begun-export"}
    begun = finished_ledger.create_campaign("begun-export", spec, "d", {})
    search = finished_ledger.add_search(begun.id, "resnet", 0)
    from automl.contracts import Outcome

    config = {"depth": 1, "width": 1, "kernel": 3}
    for number in range(2):
        trial = finished_ledger.start_trial(
            search.id, NewTrial("trial", number, config, seed=0, asked_after=0, workdir="")
        )
    outcome = Outcome(TrialState.FAILED, 1.0, reason="out of memory")
    assert finished_ledger.finish_trial(trial.id, trial.token, outcome, told=0, attributes={})
    url = f"sqlite:///{tmp_path}/optuna.db"
    export_optuna(finished_ledger, begun.id, url)
    (exported,) = optuna.load_study(study_name=search.id, storage=url).trials
    assert exported.state == optuna.trial.TrialState.FAIL
    assert exported.user_attrs["automl:reason"] == "out of memory"


@pytest.mark.parametrize("url", ["nonsense", "mysql://nowhere/x", "sqlite:////no/such/folder/x.db"])
def test_an_unusable_storage_is_refused(finished: Any, finished_ledger: Ledger, url: str) -> None:
    with pytest.raises(UserError, match="must be a database of its own, such as"):
        export_optuna(finished_ledger, finished.campaign, url)


def test_our_own_store_is_refused(finished: Any, finished_ledger: Ledger) -> None:
    before = (finished.store.folder / "mlflow.db").read_bytes()
    with pytest.raises(UserError, match="a part of the store"):
        export_optuna(finished_ledger, finished.campaign, finished.store.tracking_uri)
    assert (finished.store.folder / "mlflow.db").read_bytes() == before


def test_an_unknown_campaign_is_refused(finished_ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'nothing-1'"):
        export_optuna(finished_ledger, "nothing-1", f"sqlite:///{tmp_path}/optuna.db")
    assert list(tmp_path.iterdir()) == []
