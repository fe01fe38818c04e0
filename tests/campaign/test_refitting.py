"""What predicts is fitted on all rows once it was tested: once, told, resumed, and measured by nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.campaign import run_campaign
from automl.campaign.outlook import Outlook
from automl.campaign.refitting import described
from automl.config import load_study
from automl.contracts import Direction, Metric, RunError, TrialState, UserError
from automl.evaluators.pipeline import Pipeline
from automl.explaining import explain
from automl.export.certificate import export_config, find_winner
from automl.export.predicting import predictor
from automl.export.winner import read_winner
from automl.ledger import Ledger, Store, TrialRow
from automl.progress import QuietProgress
from automl.promoting.candidates import candidate
from automl.report import collect
from automl.tables.model import TableModel

STUDY = """
name: towns
task: {dataset: towns.csv, target: dear, metric: accuracy, split: {validation: 0.2, test: 0.2}}
space: {name: tabular, fix: {model: extra_trees, forest_trees: 50}}
evaluator: {pipeline: {folds: 2}}
budget: {trials: 1}
seeds: 1
arms: {random: {strategy: random}}
final: {seeds: 1, refit: true}
"""
ROWS, TRAIN = 60, 36


class Told(QuietProgress):
    """Keeps what is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def message(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture
def study(workspace: Path) -> Path:
    sizes = np.random.default_rng(0).uniform(20, 200, ROWS)
    lines = [f"{size:.1f},{'yes' if size > 100 else 'no'}" for size in sizes]
    (workspace / "towns.csv").write_text("\n".join(["size,dear", *lines]))
    (workspace / "towns.yaml").write_text(STUDY)
    return workspace / "towns.yaml"


def run(study: Path, store: Store, *overrides: str) -> list[str]:
    told = Told()
    assert run_campaign(load_study(study, overrides), store=store, progress=told) == "towns-1"
    return told.lines


def refits(ledger: Ledger) -> list[TrialRow]:
    return [trial for trial in ledger.trials(campaign="towns-1") if trial.kind == "refit"]


@pytest.mark.slow
def test_it_is_the_tested_model_on_all_rows_and_has_no_value(
    study: Path, store: Store, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted: list[int] = []
    fit = TableModel.fit
    monkeypatch.setattr(TableModel, "fit", lambda self, x, *y: fitted.append(len(x)) or fit(self, x, *y))
    run(study, store)
    assert fitted[-2:] == [TRAIN, ROWS] and max(fitted[:-1]) == TRAIN, "test rows are fitted at the end alone"
    (refit,) = refits(ledger)
    (final,) = [trial for trial in ledger.trials(campaign="towns-1") if trial.kind == "final"]
    (opening,) = ledger.openings("towns-1")
    assert refit.state is TrialState.COMPLETE and refit.values is None and refit.metrics == {"rows": ROWS}
    assert not ledger.reports(trials=[refit.id]) and refit.config == final.config
    assert opening.trials == [final.id] and final.started_at < opening.opened_at < refit.started_at
    found = described(ledger, refit, Metric("accuracy", Direction.MAXIMIZE))
    assert (found.description["config"], found.description["seed"]) == (final.config, final.seed)
    assert (found.opening, found.left.trial, found.left.workdir) == (opening.id, final.id, final.workdir)


@pytest.mark.slow
def test_it_predicts_and_what_is_measured_is_the_model_of_the_training_rows(
    study: Path, store: Store, ledger: Ledger, tmp_path: Path
) -> None:
    run(study, store)
    (refit,) = refits(ledger)
    model = predictor(ledger, "towns-1")
    assert (model.trial, model.rows) == (refit.id, ROWS)
    for trial in (predictor(ledger, "towns-1", refit=False).trial, explain(ledger, "towns-1").trial):
        assert trial.endswith("/final-0"), "no score is of rows that a model has seen"
    report = collect(ledger, "towns-1")
    (search,) = report.arms["random"].searches
    assert search.refit is not None and (search.refit.trial, search.refit.rows) == (refit.id, ROWS)
    assert len(search.fresh) == len(search.test) == 1 and search.final_device_seconds > refit.device_seconds
    written: Any = report.to_json()["arms"]
    assert written["random"][0]["refit"] == {"trial": refit.id, "rows": ROWS}
    export_config(ledger, "towns-1", tmp_path / "best.yaml", store=store)
    told = read_winner(tmp_path / "best.yaml").certificate.refitted
    assert told is not None and (told.trial, told.rows) == (refit.id, ROWS)
    promoted = candidate(ledger, "towns-1")
    assert promoted.fitted == refit and promoted.trained is not None and promoted.trained.kind == "final"
    with promoted.folder() as folder:
        assert folder is not None and folder.parent.name == "refit-0"


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before", "in"])
def test_after_a_kill_it_is_made_once(
    study: Path, store: Store, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        if moment == "before":
            patched.setattr("automl.campaign.run.begin_refit", killed)
        else:
            patched.setattr(Pipeline, "_refit", killed)
        run(study, store)
    assert [trial.state for trial in refits(ledger)] == [TrialState.RUNNING] * (moment == "in")
    run(study, store)
    (refit,) = refits(ledger)
    assert (refit.state, refit.attempt) == (TrialState.COMPLETE, 1 + (moment == "in"))
    assert len(ledger.openings("towns-1")) == 1
    assert "is complete" in run(study, store)[-1] and len(refits(ledger)) == 1


@pytest.mark.slow
def test_without_time_it_is_told_and_more_time_makes_it(
    study: Path, store: Store, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = "limits={wall_seconds: 500, reserve: true}"
    with monkeypatch.context() as patched:
        patched.setattr("automl.campaign.state.SearchState.outlook", Outlook(fit=1000.0, refit=1.4))
        told = run(study, store, limits)
    assert any("no time was left to fit the model of towns-1/random/0 on all rows" in line for line in told)
    assert not refits(ledger) and predictor(ledger, "towns-1").rows is None
    assert find_winner(ledger, "towns-1").certificate.refitted is None
    run(study, store, "limits={wall_seconds: 600, reserve: true}")
    assert len(refits(ledger)) == 1 and predictor(ledger, "towns-1").rows == ROWS


@pytest.mark.slow
def test_a_finished_campaign_grows_by_it(study: Path, store: Store, ledger: Ledger) -> None:
    run(study, store, "final={seeds: 1}")
    assert not refits(ledger) and predictor(ledger, "towns-1").trial.endswith("final-0")
    assert any("grows, final.refit" in line for line in run(study, store))
    assert len(refits(ledger)) == len(ledger.openings("towns-1")) == 1
    assert any("final.refit: true stays" in line for line in run(study, store, "final={seeds: 1}"))


def test_what_was_not_tested_is_not_fitted_on_all_rows(study: Path, store: Store, ledger: Ledger) -> None:
    run(study, store, "final={seeds: 1}")
    (final,) = [trial for trial in ledger.trials(campaign="towns-1") if trial.kind == "final"]
    other = replace(final, search="towns-1/other/0")
    with pytest.raises(RunError, match="must be tested before it is fitted on all rows"):
        described(ledger, other, Metric("accuracy", Direction.MAXIMIZE))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("final={seeds: 0, refit: true}", r"final.refit: needs a retraining, .* got true with seeds=0"),
        ("evaluator={network: {epochs: 1}}", r"final.refit: needs an evaluator that fits a table"),
    ],
)
def test_what_cannot_be_refitted_is_refused(study: Path, override: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_study(study, [override])
