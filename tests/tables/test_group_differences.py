"""Differences between groups: by hand, against definitions, and in trials of the pipeline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fake_context import FakeContext

from automl.contracts import Bounds, Direction, Metric, Split, Task, UserError
from automl.evaluators.pipeline import Pipeline, PipelineOptions
from automl.space import Choice, Space
from automl.tables.fairness import ERRORS, FEWEST, MOST, ODDS, PARITY, Groups, differences, measured

ROC_AUC = Metric("roc_auc", Direction.MAXIMIZE)
SPACE = Space({"model": Choice(("linear", "extra_trees"))})


def said(labels: Any) -> np.ndarray:
    """Probabilities of two classes whose larger one is `labels`."""
    second = np.where(np.asarray(labels) == 1, 0.9, 0.2)
    return np.column_stack([1 - second, second])


def test_two_groups_by_hand() -> None:
    groups = np.repeat(["f", "m"], 40)
    y = np.tile(np.repeat([0, 1], 20), 2)
    prediction = np.concatenate([  # f: 4 of 20 and 12 of 20 are said to be 1; m: 2 of 20 and 18 of 20
        np.repeat([1, 0], [4, 16]), np.repeat([1, 0], [12, 8]),
        np.repeat([1, 0], [2, 18]), np.repeat([1, 0], [18, 2]),
    ])  # fmt: skip
    found = differences(groups, y, said(prediction))
    assert found[PARITY] == pytest.approx(20 / 40 - 16 / 40)
    assert found[ODDS] == pytest.approx(max(4 / 20 - 2 / 20, 18 / 20 - 12 / 20))
    assert found[ERRORS] == pytest.approx((4 + 8) / 40 - (2 + 2) / 40)


def test_a_threshold_decides_what_is_said() -> None:
    groups, y = np.repeat(["f", "m"], 20), np.tile([0, 1], 20)
    probabilities = np.column_stack([np.repeat([0.7, 0.4], 20), np.repeat([0.3, 0.6], 20)])
    assert differences(groups, y, probabilities)[PARITY] == 1
    assert differences(groups, y, probabilities, 0.25)[PARITY] == 0


def test_more_classes_and_numbers_have_errors_alone() -> None:
    groups, y = np.repeat([1, 2, None], 20), np.tile([0, 1, 2, 0, 1], 12)
    probabilities = np.eye(3)[np.where(np.arange(60) < 20, (y + 1) % 3, y)]
    assert differences(groups, y, probabilities) == {ERRORS: 1.0}
    errors = np.repeat([0.5, -2.0, 1.0], 20)
    assert differences(groups, y.astype(float), y + errors) == {ERRORS: 1.5}
    assert measured(3) == measured(0) == (ERRORS,) and set(measured(2)) == set(measured())


def test_groups_of_a_few_rows_say_nothing() -> None:
    groups = np.repeat(["a", "b", "c"], [30, 30, FEWEST - 1])
    y = np.zeros(len(groups), dtype=int)
    assert differences(groups, y, said(np.where(groups == "c", 1, 0))) == {ERRORS: 0, PARITY: 0, ODDS: 0}
    alone = np.full(30, "a")
    assert differences(alone, y[:30], said(y[:30]))[ERRORS] == 0


def people(rows: int = 400, seed: int = 0) -> Task:
    """The target goes by age, and by nothing for the smaller group."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(["near", "far"], rows, p=[0.7, 0.3])
    age = rng.normal(0, 1, rows)
    y = np.where(kind == "near", age > 0, rng.random(rows) < 0.5).astype(np.int64)
    table = pd.DataFrame({"kind": kind, "age": age, "serial": np.arange(rows)})
    train, validation = Split(table[:300], y[:300]), Split(table[300:], y[300:])
    return Task("people", "table", (3,), 2, train, validation, "0" * 64)


def context(path: Path, **fields: Any) -> FakeContext:
    return FakeContext(path, **{"given_task": people(), "space": SPACE, "metrics": [ROC_AUC], **fields})


def test_a_trial_tells_how_differently_groups_are_served(tmp_path: Path) -> None:
    plain = Pipeline(PipelineOptions(folds=3)).evaluate({"model": "linear"}, context(tmp_path / "plain"))
    evaluator = Pipeline(PipelineOptions(folds=3, fairness="kind"))
    found = evaluator.evaluate({"model": "linear"}, context(tmp_path / "fair"))
    assert found.values == plain.values and not set(measured()) & set(plain.metrics)
    assert found.metrics[ERRORS] > 0.3, "half of the far ones are wrong, and few of the near ones"
    assert 0 <= found.metrics[PARITY] <= 1 and 0 <= found.metrics[ODDS] <= 1
    assert set(measured()) <= set(evaluator.measures()) and not set(measured()) & set(
        Pipeline(PipelineOptions()).measures()
    )


def test_a_constraint_on_it_is_no_metric_of_a_fold(tmp_path: Path) -> None:
    evaluator = Pipeline(PipelineOptions(folds=3, fairness="kind"))
    bounds = {ERRORS: Bounds(at_most=1.0)}
    found = evaluator.evaluate({"model": "linear"}, context(tmp_path, constraints=bounds))
    assert found.metrics[ERRORS] > 0.3 and f"{ERRORS}_fold_std" not in found.metrics


def test_a_final_evaluation_and_a_test_tell_it_too(tmp_path: Path) -> None:
    evaluator = Pipeline(PipelineOptions(folds=3, fairness="kind"))
    final = context(tmp_path, final=True)
    result = evaluator.evaluate({"model": "linear"}, final)
    assert result.metrics[ERRORS] > 0.2
    scores = evaluator.score(tmp_path / "model", people(), people().validation, [ROC_AUC])
    assert scores[ERRORS] == result.metrics[ERRORS]


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("sex", "must name a column of features, but got 'sex'; those are kind, age, serial"),
        ("age", f"must name a column that makes 2 to {MOST} groups, but 'age' has 300 values"),
    ],
)
def test_a_column_that_makes_no_groups_is_refused(column: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Groups(column).check(people())
    same = people()
    same.train.x["kind"] = "near"
    with pytest.raises(UserError, match="but 'kind' has 1 values"):
        Groups("kind").check(same)
    Groups(None).check(replace(same))
