"""Columns that matter are told from those that do not, alike at every call."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl.contracts import Direction, Metric, UserError
from automl.explaining.importance import importances, most_used

RNG = np.random.default_rng(0)
X = pd.DataFrame({name: RNG.normal(size=200) for name in ("a", "b", "c", "when_year", "when_day")})
Y = 3 * X["a"].to_numpy() + X["b"].to_numpy() + RNG.normal(scale=0.1, size=200)
COLUMNS = {"a": ["a"], "b": ["b"], "c": ["c"], "when": ["when_year", "when_day"]}
R2 = Metric("r2", Direction.MAXIMIZE)


def linear(x: Any) -> np.ndarray:
    return (3 * x["a"] + x["b"] + 0 * x["c"]).to_numpy(np.float64)


def test_what_the_model_does_not_use_has_no_importance() -> None:
    before = X.copy()
    found = {one.column: one for one in importances(linear, (X, Y), COLUMNS, R2, 0, 5)}
    assert list(found) == ["a", "b", "c", "when"] and found["a"].mean > 5 * found["b"].mean > 0
    assert found["a"].matters and found["b"].matters and found["b"].interval[1] < found["a"].interval[0]
    for name in ("c", "when"):
        assert found[name].mean == 0 and found[name].interval == (0, 0) and not found[name].matters
    pd.testing.assert_frame_equal(X, before)


def test_a_shuffled_column_loses_what_theory_says() -> None:
    """Exchanging a between rows adds 2 · 9 · var(a) to the squared error."""
    found = importances(linear, (X, Y), {"a": ["a"]}, Metric("mse", Direction.MINIMIZE), 0, 40)
    assert found[0].mean == pytest.approx(18 * X["a"].var(), rel=0.1)


def test_the_features_of_a_date_are_shuffled_together() -> None:
    """What they say of each other stays, so that a model of their difference alone loses nothing."""
    x = X.assign(when_day=X["when_year"] + 1)

    def difference(table: Any) -> np.ndarray:
        return (table["when_day"] - table["when_year"]).to_numpy(np.float64)

    found = importances(difference, (x, Y), COLUMNS, R2, 0, 5)
    assert all(abs(one.mean) < 1e-9 for one in found)


def test_equal_seeds_give_equal_values() -> None:
    first, again, other = (importances(linear, (X, Y), COLUMNS, R2, seed, 5) for seed in (1, 1, 2))
    assert first == again and first != other


def test_noise_is_within_its_interval() -> None:
    """A column that the model goes by and the target does not: one interval in forty is above 0."""
    wrong = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        x = pd.DataFrame({"a": rng.normal(size=80)})
        y = rng.normal(size=80)
        wrong += importances(lambda t: 0.1 * t["a"].to_numpy(), (x, y), {"a": ["a"]}, R2, seed, 5)[0].matters
    assert wrong <= 6


def test_a_metric_without_a_value_on_some_rows_is_left_to_the_others() -> None:
    x = pd.DataFrame({"a": np.arange(12.0)})
    y = (np.arange(12) >= 11).astype(np.int64)

    def classes(table: Any) -> np.ndarray:
        p = table["a"].to_numpy() / 12
        return np.column_stack([1 - p, p])

    found = importances(classes, (x, y), {"a": ["a"]}, Metric("roc_auc", Direction.MAXIMIZE), 0, 5)
    assert found[0].mean > 0
    with pytest.raises(UserError, match="roc_auc must have a value on samples of the validation rows"):
        importances(classes, (x, 0 * y), {"a": ["a"]}, Metric("roc_auc", Direction.MAXIMIZE), 0, 5)


def test_the_columns_that_predictions_need_most_are_chosen() -> None:
    chosen = most_used(linear, X, COLUMNS, 0, 2)
    assert chosen == {"a": ["a"], "b": ["b"]} and list(chosen) == ["a", "b"]
    assert most_used(linear, X, COLUMNS, 0, 4) == COLUMNS
    assert list(most_used(lambda x: -0.5 * x["when_day"].to_numpy(), X, COLUMNS, 0, 1)) == ["when"]
