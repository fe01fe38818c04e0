"""Pipelines on rows of which some count more: in folds, in retrainings, in ensembles and on all rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_context import ACCURACY, FakeContext
from test_pipeline import AUC, R2, task

from automl.contracts import TableReading, Task, TaskOutline, UserError
from automl.evaluators.pipeline import Pipeline, PipelineOptions
from automl.space import Choice, Space
from automl.tables.folders import predicted_by
from automl.tables.model import TableModel

FOREST = {"model": "extra_trees", "forest_trees": 12}
SPACE = Space({"model": Choice(("extra_trees", "knn"))})


def weighted(classes: int, rows: int = 240) -> Task:
    given = task(classes, rows)
    weights = np.random.default_rng(1).uniform(0, 3, len(given.train))
    reading = TableReading((), "target", None)
    return replace(given, train=replace(given.train, weights=weights), reading=reading)


def test_folds_are_fitted_with_weights_and_scored_without(tmp_path: Path) -> None:
    given, metric = weighted(0), [R2]
    plain = replace(given, train=replace(given.train, weights=None))
    values = [
        Pipeline(PipelineOptions(folds=3))
        .evaluate(FOREST, FakeContext(tmp_path / str(place), given_task=one, space=SPACE, metrics=metric))
        .values["r2"]
        for place, one in enumerate((given, plain))
    ]
    assert values[0] != values[1] and min(values) > 0.3


def test_the_retraining_and_the_fit_on_all_rows_use_them(tmp_path: Path) -> None:
    given, pipeline = weighted(2), Pipeline(PipelineOptions(folds=3))
    fields = {"given_task": given, "space": SPACE, "metrics": [AUC], "final": True}
    pipeline.evaluate(FOREST, FakeContext(tmp_path / "a", **fields))
    found = predicted_by(tmp_path / "a" / "model", given.validation, 2)
    train = given.train
    own = TableModel(FOREST, 2, 0, calibrate=True).fit(train.x, train.y, train.weights)
    free = TableModel(FOREST, 2, 0, calibrate=True).fit(train.x, train.y)
    np.testing.assert_array_equal(found, own.predict(given.validation.x))
    assert not np.array_equal(found, free.predict(given.validation.x))
    described = {"config": FOREST, "seed": 0, "task": given.digest}
    pipeline.evaluate(FOREST, FakeContext(tmp_path / "b", **fields, refits=described))
    again = predicted_by(tmp_path / "b" / "model", given.validation, 2)
    np.testing.assert_array_equal(found, again)


def test_classes_are_balanced_when_asked(tmp_path: Path) -> None:
    given = task(2, 400)
    few = np.flatnonzero((given.train.y == 0) | (np.arange(len(given.train)) % 8 == 0))
    x = given.train.x[["noise", "constant"]].iloc[few].reset_index(drop=True)
    part = replace(given.train, x=x, y=given.train.y[few])
    seen = replace(given.validation, x=given.validation.x[["noise", "constant"]])
    given = replace(given, train=part, validation=seen, reading=TableReading((), "target", None))
    shares = []
    for place, asked in enumerate((False, True)):
        pipeline = Pipeline(PipelineOptions(folds=3, class_weights=asked))
        context = FakeContext(
            tmp_path / str(place), given_task=given, space=SPACE, metrics=[ACCURACY], final=True
        )
        pipeline.evaluate({"model": "linear"}, context)
        found = predicted_by(tmp_path / str(place) / "model", given.validation, 2)
        assert found is not None
        shares.append(float(found[:, 1].mean()))
    assert shares[0] < 0.2 and 0.4 < shares[1] < 0.6, "features say nothing: what classes weigh does"


def test_families_without_weights_end_at_once(tmp_path: Path) -> None:
    fields = {"space": SPACE, "metrics": [R2]}
    pipeline = Pipeline(PipelineOptions(folds=3))
    stopped = pipeline.evaluate(
        {"model": "knn"}, FakeContext(tmp_path / "a", given_task=weighted(0), **fields)
    )
    assert stopped.stopped.startswith("knn has no weights of rows")
    free = pipeline.evaluate({"model": "knn"}, FakeContext(tmp_path / "b", given_task=task(0, 60), **fields))
    assert not free.stopped


def test_what_cannot_be_weighted_is_refused() -> None:
    balanced, plain = (Pipeline(PipelineOptions(folds=3, class_weights=one)) for one in (True, False))
    with pytest.raises(
        UserError, match=r"class_weights needs a target of classes, but that of .* holds numbers"
    ):
        balanced.check_data(task(0, 60), SPACE, balanced)
    poor = Space({"model": Choice(("knn",))})
    with pytest.raises(
        UserError, match=r"task.weights needs a family with weights of rows, but the space has knn"
    ):
        plain.check_data(weighted(0), poor, plain)
    found = dict(balanced.mistakes(poor, TaskOutline((ACCURACY,), True)))
    assert found["class_weights"].endswith("the space has knn")
