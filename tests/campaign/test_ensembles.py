"""Campaigns over a small table whose winners are ensembles: both arms, the report, a kill, predictions."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from automl.campaign import run_campaign
from automl.config import load_study
from automl.contracts import COMBINED, KEPT, RunError, TrialState
from automl.explaining import Extent, explain
from automl.export import export_config
from automl.export.predicting import predicted_file, predictor
from automl.export.retraining import Training, train
from automl.fitting.models import models
from automl.ledger import Ledger, Store, TrialRow
from automl.progress import QuietProgress
from automl.report import collect
from automl.report.terminal import terminal
from automl.storage import open_ledger
from automl.tables import cross_validation, final

STUDY = """
name: waves
task: {dataset: waves.csv, target: y, metric: METRIC, split: {validation: 0.1, test: 0.2}}
space:
  name: tabular
  narrow: {model: [knn, extra_trees, svm]}
  fix: {forest_trees: 50}
evaluator: {pipeline: {folds: 3, ensemble: 25}}
budget: {trials: 6}
seeds: 1
arms: {tpe: {strategy: tpe}, random: {strategy: random}}
executor: EXECUTOR
final: {seeds: 1}
"""


def write(folder: Path, metric: str, executor: str = "local") -> Path:
    rng = np.random.default_rng(0)
    x = rng.uniform(-3, 3, (240, 3)).round(4)
    value = np.sin(2 * x[:, 0]) + 0.3 * x[:, 1] ** 2 + rng.normal(0, 0.3, 240)
    y = value.round(5).tolist()
    if metric != "rmse":
        classes = np.searchsorted([0.5, 1.5] if metric == "log_loss" else [0.8], value)
        y = [f"class-{number}" for number in classes]
    lines = ["a,b,c,y", *(f"{a},{b},{c},{t}" for (a, b, c), t in zip(x.tolist(), y, strict=True))]
    (folder / "waves.csv").write_text("\n".join(lines) + "\n")
    (folder / "waves.yaml").write_text(STUDY.replace("METRIC", metric).replace("EXECUTOR", executor))
    return folder / "waves.yaml"


def run(study: Path, store: Store) -> str:
    return run_campaign(load_study(study), store=store, progress=QuietProgress())


def finals(ledger: Ledger, campaign: str) -> list[TrialRow]:
    return [row for row in ledger.trials(campaign=campaign) if row.kind == "final"]


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["rmse", "roc_auc", "log_loss"])
def test_both_arms_get_the_ensemble_that_predicts_is_tested_and_told(
    store: Store, tmp_path: Path, metric: str
) -> None:
    campaign = run(write(tmp_path, metric), store)
    with open_ledger(store) as ledger:
        rows = finals(ledger, campaign)
        assert {row.search.split("/")[1] for row in rows} == {"tpe", "random"}
        assert all(row.state is TrialState.COMPLETE for row in rows)
        made = [row for row in rows if COMBINED in (row.metrics or {})]
        assert made, [row.reason for row in rows]
        report, found = models(ledger, campaign)
        assert sum(one.members > 1 for one in found) == len(made)
        best = next(one for one in found if one.members)
        assert best.family == f"ensemble of {best.members}" and best.test is not None and best.fitted
        singles = [one for one in found if not one.members and one.arm == best.arm]
        sign = 1 if metric == "roc_auc" else -1
        assert sign * best.validation > max(sign * one.validation for one in singles)
        assert all(one.test is None and not one.fitted for one in singles), "the test was not opened for them"
        assert report.chosen is not None and report.chosen.value == found[0].validation
        search = next(one for one in report.arms[best.arm].searches if one.combined)
        assert search.combined is not None and search.combined.told.startswith("an ensemble of the trials ")
        winner = export_config(ledger, campaign, tmp_path / "best.yaml", store=store, arm=best.arm)
        assert winner.certificate.ensemble == search.combined.told
        model = predictor(ledger, campaign, best.arm)
        (part,) = predicted_file(model, tmp_path / "waves.csv")
        assert len(part.text.splitlines()) == 241
        explained = explain(ledger, campaign, best.arm, extent=Extent(repeats=1))
        assert explained.trial == best.trial and explained.columns[0].column == "a"
        own = next(row for row in made if row.search.split("/")[1] == best.arm)
    described = json.loads((Path(own.workdir or "") / "model/config.json").read_text())
    numbers = [one["trial"].rpartition("/")[2] for one in described["members"]]
    shown = ", ".join(
        f"{number} ({one['weight']:.0%})" for number, one in zip(numbers, described["members"], strict=True)
    )
    assert f"trials {shown}:" in (own.reason or "")
    told: list[str] = []
    trained = train(tmp_path / "best.yaml", store, Training(device="cpu"), message=told.append)
    assert trained.exported is None and any(
        "this trains its best configuration alone" in text for text in told
    )


@pytest.mark.slow
def test_a_campaign_that_was_killed_in_a_retraining_finds_the_predictions_again(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = write(tmp_path, "rmse")

    def killed(self: final.Combining, config: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(final.Combining, "fit", killed)
        with pytest.raises((KeyboardInterrupt, RunError)):
            run(study, store)
    with open_ledger(store) as ledger:
        assert all(row.state is TrialState.RUNNING for row in finals(ledger, "waves-1"))
    kept = sorted(store.folder.glob(f"work/waves-1/*/*/{KEPT}/{cross_validation.FILE}"))
    assert len(kept) == 12
    kept[0].write_bytes(b"torn")
    assert run(study, store) == "waves-1"
    with open_ledger(store) as ledger:
        rows = finals(ledger, "waves-1")
        told = " ".join(row.reason or "" for row in rows)
        assert "trials without predictions that can be read: " in told
        assert any(COMBINED in (row.metrics or {}) for row in rows)
        report = collect(ledger, "waves-1")
    shown = io.StringIO()
    Console(width=200, file=shown).print(terminal(report))
    assert "Ensembles:" in shown.getvalue() and "an ensemble of the trials" in shown.getvalue()


@pytest.mark.slow
def test_predictions_go_through_a_storage(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOML_CACHE", str(tmp_path / "node"))
    monkeypatch.setenv("AUTOML_STORAGE", f"file://{tmp_path}/there")
    campaign = run(write(tmp_path, "rmse"), store)
    assert not list(store.folder.glob(f"work/**/{KEPT}"))
    with open_ledger(store) as ledger:
        trials = [row for row in ledger.trials(campaign=campaign) if row.kind == "trial"]
        assert all(f"{KEPT}/{cross_validation.FILE}" in (row.files or {}) for row in trials)
        assert any(COMBINED in (row.metrics or {}) for row in finals(ledger, campaign))
        assert any(one.members > 1 for one in models(ledger, campaign)[1])
        model = predictor(ledger, campaign)
        (part,) = predicted_file(model, tmp_path / "waves.csv")
        assert part.rows == 240
