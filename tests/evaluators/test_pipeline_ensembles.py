"""Retrainings that combine the trials of a search: what predicts, what is left out, and what is told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_context import FakeContext
from test_pipeline import AUC, R2, SPACE, task

from automl import metrics
from automl.contracts import (
    COMBINED,
    COMBINED_VALUE,
    KEPT,
    Candidate,
    Config,
    Direction,
    Metric,
    Result,
    TableReading,
    Task,
    TrialStopped,
)
from automl.evaluators import pipeline
from automl.evaluators.pipeline import Pipeline, PipelineOptions
from automl.tables import conformal, cross_validation, saved, selection
from automl.tables.folds import folds
from automl.tables.model import TableModel, predicted

LOG_LOSS = Metric("log_loss", Direction.MINIMIZE)
PIPELINE = Pipeline(PipelineOptions(folds=3, ensemble=25))
CONFIGS: list[Config] = [
    {"model": "extra_trees", "forest_trees": 10, "forest_leaf": 3},
    {"model": "linear"},
    {"model": "svm"},
    {"model": "knn"},
    {"model": "lightgbm", "boosting_rounds": 10},
]


def read_task(classes: int) -> Task:
    """Targets that no single family can predict, of a table as it is read from a file."""
    given = replace(
        task(classes, 150), reading=TableReading((), "target", None), labels=("a", "b", "c")[:classes]
    )
    rng = np.random.default_rng(0)
    for part in (given.train, given.validation):
        if classes:
            part.y[:] = np.where(rng.random(len(part)) < 0.3, rng.integers(0, classes, len(part)), part.y)
        else:
            part.y[:] += rng.normal(0, 0.5, len(part))
    return given


class Searched:
    """Trials of one search, the best first, and its final evaluation."""

    def __init__(self, folder: Path, given: Task, metric: Metric, configs: list[Config] = CONFIGS) -> None:
        self.folder, self.given, self.metric = folder, given, metric
        found = []
        for number, config in enumerate(configs):
            value = PIPELINE.evaluate(config, self.context(str(number))).values[metric.name]
            workdir = str(folder / str(number))
            found.append(Candidate(f"s-1/arm/0/{number}", config, value, 3.0, workdir))
        sign = -1 if metric.direction is Direction.MAXIMIZE else 1
        self.candidates = sorted(found, key=lambda one: sign * one.value)

    def context(self, name: str, **fields: Any) -> FakeContext:
        given = {"given_task": self.given, "space": SPACE, "metrics": [self.metric], **fields}
        return FakeContext(self.folder / name, **given)

    def final(self, name: str = "final", **fields: Any) -> Result:
        given = {"candidates": self.candidates, "final": True, "seed": 7, **fields}
        return PIPELINE.evaluate(self.candidates[0].config, self.context(name, **given))

    def described(self, name: str = "final") -> dict[str, Any]:
        text = (self.folder / name / "model/config.json").read_text()
        return json.loads(text)  # type: ignore[no-any-return]


@pytest.fixture
def anything_better(monkeypatch: pytest.MonkeyPatch) -> None:
    """The best one and the next two, whatever their values."""
    chosen = selection.Selected({0: 0.5, 1: 0.3, 2: 0.2}, 0.1, 0.2, 0.3)

    def selected(self: selection.Pool) -> selection.Selected | None:
        return chosen if len(self.predictions) > 2 else None

    monkeypatch.setattr(selection.Pool, "selected", selected)


@pytest.mark.parametrize(("classes", "metric"), [(0, R2), (2, AUC), (3, LOG_LOSS)])
@pytest.mark.usefixtures("anything_better")
def test_an_ensemble_is_the_weighted_mean_of_its_members_to_the_last_digit(
    tmp_path: Path, classes: int, metric: Metric
) -> None:
    searched = Searched(tmp_path, read_task(classes), metric)
    result, given = searched.final(), searched.given
    assert result.metrics == {COMBINED: 3, COMBINED_VALUE: 0.1}
    members = searched.described()["members"]
    assert [one["config"] for one in members] == [one.config for one in searched.candidates[:3]]
    assert result.note.startswith("an ensemble of the trials ") and "(50%)" in result.note
    x = given.validation.x
    made = [
        TableModel(one["config"], classes, one["seed"], calibrate=True)
        .fit(given.train.x, given.train.y)
        .predict(x)
        for one in members
    ]
    assert members[0]["seed"] == 7 and len({one["seed"] for one in members}) == 3
    fitted, described = saved.load(tmp_path / "final/model")
    assert described.labels == given.labels
    found = predicted(fitted, x, classes)
    assert np.allclose(found, 0.5 * made[0] + 0.3 * made[1] + 0.2 * made[2], rtol=1e-12, atol=1e-14)
    assert metrics.score([metric.name], given.validation.y, found) == result.values
    model = tmp_path / "final/model"
    kept = PIPELINE.score(model, given, given.validation, [metric])
    assert kept[metric.name] == result.values[metric.name]
    (model / saved.FITTED).unlink()
    assert PIPELINE.score(model, given, given.validation, [metric]) == kept, "fitted again"
    families = {str(one["config"]["model"]) for one in members}
    assert ("lightgbm==" in (model / saved.REQUIREMENTS).read_text()) == ("lightgbm" in families)


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.usefixtures("anything_better")
def test_a_refit_is_the_same_configurations_seeds_and_weights_on_other_rows(
    tmp_path: Path, together: bool
) -> None:
    searched = Searched(tmp_path, read_task(2), AUC, CONFIGS[:3])
    searched.final(**({} if together else {"candidates": []}))
    described = searched.described()
    assert ("members" in described) == together
    whole = replace(searched.given, train=searched.given.validation, digest="f" * 64)
    given = searched.context("refit", given_task=whole, refits=described, final=True, seed=99)
    result = PIPELINE.evaluate({"model": "knn"}, given)
    assert (result.values, result.metrics, given.reports) == ({}, {"rows": len(whole.train)}, [])
    assert searched.described("refit") == {**described, "task": whole.digest}
    alone = [{"config": described["config"], "seed": described["seed"], "weight": 1.0}]
    x, total = searched.given.train.x, 0.0
    for one in described.get("members", alone):
        model = TableModel(one["config"], 2, one["seed"], calibrate=True)
        total = total + one["weight"] * model.fit(whole.train.x, whole.train.y).predict(x)
    fitted, _ = saved.load(tmp_path / "refit/model")
    assert np.allclose(predicted(fitted, x, 2), total, rtol=1e-12, atol=1e-14)


@pytest.mark.usefixtures("anything_better")
def test_intervals_are_made_of_the_errors_of_what_predicts_and_stay_with_its_refit(tmp_path: Path) -> None:
    searched = Searched(tmp_path, read_task(0), R2, CONFIGS[:3])
    searched.final()
    given, folder = searched.given, tmp_path / "final/model"
    kept = [
        cross_validation.read(Path(one.workdir or "") / KEPT, (150,), given.digest)
        for one in searched.candidates
    ]
    held = np.concatenate([places for _, places in folds(given, 3)])
    errors = np.abs(given.train.y[held] - (0.5 * kept[0] + 0.3 * kept[1] + 0.2 * kept[2]))
    found = conformal.read_calibration(folder)
    assert found is not None and found.rows == 150 and np.allclose(found.scores, np.sort(errors), atol=1e-6)
    whole = replace(given, train=given.validation, digest="f" * 64)
    refits = {"given_task": whole, "refits": searched.described(), "final": True}
    lost = PIPELINE.evaluate({}, searched.context("lost", **refits))
    assert lost.note.startswith("there are no prediction intervals: the model that was tested is not there")
    assert conformal.read_calibration(tmp_path / "lost/model") is None
    assert PIPELINE.evaluate({}, searched.context("refit", **refits, tested=folder)).note == ""
    assert conformal.read_calibration(tmp_path / "refit/model") == found


@pytest.mark.slow
def test_a_real_selection_is_told_and_the_same_again(tmp_path: Path) -> None:
    given = read_task(0)
    for part in (given.train, given.validation):
        part.y[:] = np.sin(2 * part.y)  # no family is far ahead
    searched = Searched(tmp_path, given, R2)
    result = searched.final()
    assert searched.final("again") == result and result.metrics[COMBINED] >= 2
    assert result.metrics[COMBINED_VALUE] > searched.candidates[0].value
    weights = [one["weight"] for one in searched.described()["members"]]
    assert sum(weights) == pytest.approx(1) and searched.described()["members"][0]["trial"].startswith("s-1/")


def test_without_candidates_or_the_option_the_winner_is_alone(tmp_path: Path) -> None:
    searched = Searched(tmp_path, read_task(0), R2, CONFIGS[:2])
    none = searched.final(candidates=[])
    assert none.metrics == {} and "members" not in searched.described()
    assert none.note == (
        "the best configuration alone, no ensemble: it has no predictions to combine; there are no "
        "prediction intervals: the errors of rows held out are not known"
    )
    assert not (tmp_path / "final/model" / conformal.CALIBRATED).exists()
    one = searched.final("one", candidates=searched.candidates[:1])
    assert one.note.endswith("no other trial has predictions to combine")
    plain = Pipeline(PipelineOptions(folds=3))
    assert plain.combined() == 0 and PIPELINE.combined() == pipeline.COMBINED
    assert conformal.read_calibration(tmp_path / "one/model") is not None, "of the winner alone"
    alone = searched.context("plain", final=True, seed=7)
    assert plain.evaluate(searched.candidates[0].config, alone).values == none.values == one.values
    assert not (tmp_path / "plain" / KEPT).exists()


@pytest.mark.usefixtures("anything_better")
def test_fits_for_which_no_time_is_left_are_left_out(tmp_path: Path) -> None:
    searched = Searched(tmp_path, read_task(0), R2)
    result = searched.final(remaining=1.0)
    assert result.metrics == {} and "members" not in searched.described()
    numbers = ", ".join(one.trial.rpartition("/")[2] for one in searched.candidates[1:3])
    assert f"no time was left to fit the trials {numbers} for the ensemble" in result.note
    assert "the best configuration alone: what else was fitted does not make it better" in result.note


def test_no_time_at_all_is_told(tmp_path: Path) -> None:
    searched = Searched(tmp_path, read_task(0), R2, CONFIGS[:3])
    assert searched.final(remaining=-5.0).note.endswith("no time was left to fit another one")


def test_predictions_that_are_lost_or_damaged_are_told_and_left_out(tmp_path: Path) -> None:
    searched = Searched(tmp_path, read_task(0), R2)
    second, third = (Path(one.workdir or "") / KEPT for one in searched.candidates[1:3])
    (second / cross_validation.FILE).write_bytes(b"torn")
    (third / cross_validation.FILE).unlink()
    third.rmdir()
    note = searched.final().note
    assert "trials without predictions that can be read: " in note and "is not there" in note
    members = searched.described().get("members", [])
    lost = {one.trial for one in searched.candidates[1:3]}
    assert not lost & {one["trial"] for one in members}
    (Path(searched.candidates[0].workdir or "") / KEPT / cross_validation.FILE).write_bytes(b"torn")
    alone = searched.final("alone")
    assert alone.metrics == {} and "it has no predictions to combine" in alone.note


@pytest.mark.usefixtures("anything_better")
def test_a_member_that_cannot_be_fitted_again_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched = Searched(tmp_path, read_task(0), R2)
    fit, broken = TableModel.fit, searched.candidates[1].config["model"]

    def failing(self: TableModel, *args: Any) -> TableModel:
        if self.config["model"] == broken:
            raise ValueError("not today")
        return fit(self, *args)

    monkeypatch.setattr(TableModel, "fit", failing)
    result = searched.final()
    assert "cannot be fitted again: not today" in result.note and result.metrics == {}


def test_a_selection_that_fails_leaves_the_winner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    searched = Searched(tmp_path, read_task(0), R2, CONFIGS[:2])
    alone = searched.final("alone", candidates=[])

    def failing(self: selection.Pool) -> None:
        raise MemoryError("no room for 50 trials")

    monkeypatch.setattr(selection.Pool, "selected", failing)
    result = searched.final()
    assert result.note.endswith("no ensemble: MemoryError: no room for 50 trials")
    assert (result.values, result.metrics) == (alone.values, {}) and (tmp_path / "final/model").is_dir()


def test_a_trial_that_was_interrupted_keeps_the_predictions_of_all_folds(tmp_path: Path) -> None:
    searched = Searched(tmp_path, read_task(3), LOG_LOSS, CONFIGS[:1])
    with pytest.raises(TrialStopped):
        PIPELINE.evaluate(CONFIGS[0], searched.context("cut", stop_at=2))
    assert not (tmp_path / "cut" / KEPT).exists()
    PIPELINE.evaluate(CONFIGS[0], searched.context("cut"))
    whole, cut = (tmp_path / name / KEPT / cross_validation.FILE for name in ("0", "cut"))
    assert whole.read_bytes() == cut.read_bytes()
    (whole.parent / cross_validation.FILE).unlink()
    PIPELINE.evaluate(CONFIGS[0], searched.context("0"))  # killed after the last fold
    assert whole.read_bytes() == cut.read_bytes()


def test_folds_that_were_left_out_keep_nothing(tmp_path: Path) -> None:
    searched = Searched(tmp_path, read_task(3), LOG_LOSS, CONFIGS[:1])
    result = PIPELINE.evaluate(CONFIGS[0], searched.context("few", needs_value=True, remaining=0.0))
    assert result.note == "the budget left time for 1 of 3 folds" and not (tmp_path / "few" / KEPT).exists()
