"""Few rows go a way of their own through a model, and get the digits of the usual way."""

from __future__ import annotations

import copy
import gc
import itertools
import weakref
from typing import Any

import few_examples
import numpy as np
import pandas as pd
import pytest

from automl.tables import few_rows, model
from automl.tables.ensembles import Ensemble
from automl.tables.families import FAMILIES
from automl.tables.few_rows import FEW_ROWS, takes_few
from automl.tables.model import TableModel, predicted

NEW = few_examples.new_rows()
PREPARATIONS: tuple[dict[str, Any], ...] = (
    {
        "encoding": "ordinal",
        "scaling": "robust",
        "clipping": True,
        "imputation": "mean",
        "text": "characters",
    },
    {"encoding": "target", "indicators": True, "rare": 5, "scaling": "quantile"},
    {"encoding": "one_hot", "rare": 5, "indicators": True, "imputation": "most_frequent"},
)
BOOSTING: tuple[dict[str, Any], ...] = (
    {"boosting_encoding": "native", "boosting_patience": 2},
    {"boosting_encoding": "one_hot"},
    {"boosting_encoding": "target"},
)
CASES = [
    (family, classes, number)
    for family, classes in itertools.product(FAMILIES, (0, 2, 3))
    for number in range(len(PREPARATIONS))
]


def usually(fitted: Any, rows: pd.DataFrame, classes: int) -> np.ndarray:
    """As a copy of the model, whose few rows go the usual way."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model, "FEW_ROWS", 0)
        return predicted(fitted, rows, classes)


def check_few(fitted: Any, classes: int) -> None:
    predicted(fitted, NEW.iloc[-1:], classes)
    assert takes_few(fitted)
    for rows in (NEW.iloc[:1], NEW.iloc[1:2], NEW.iloc[10:12], NEW.iloc[:FEW_ROWS]):
        found, usual = predicted(fitted, rows, classes), usually(fitted, rows, classes)
        assert np.array_equal(found, usual) and found.dtype == usual.dtype
        assert np.isfinite(found).all() and found.shape == (len(rows), *((classes,) if classes else ()))


@pytest.mark.parametrize(("family", "classes", "number"), CASES)
def test_few_rows_get_the_digits_of_the_usual_way(family: str, classes: int, number: int) -> None:
    preparation = (BOOSTING if FAMILIES[family].boosts else PREPARATIONS)[number]
    check_few(few_examples.fitted(family, classes, **preparation).fitted, classes)


def test_a_model_without_probabilities() -> None:
    check_few(few_examples.fitted("svm", 3, calibrate=False).fitted, 3)


def members(classes: int, *families: str) -> list[TableModel]:
    return [few_examples.fitted(family, classes) for family in families]


@pytest.mark.slow
@pytest.mark.parametrize("classes", [0, 2, 3])
def test_an_ensemble(classes: int) -> None:
    models = members(classes, "linear", "extra_trees", "gradient_boosting", "knn")
    check_few(Ensemble(models, [0.5, 0.2, 0.2, 0.1]).fitted, classes)


def test_a_forest_predicts_by_one_thread() -> None:
    """Several add up its trees in any order."""
    made = few_examples.fitted("extra_trees", 0, threads=2).fitted
    check_few(made, 0)
    assert made[-1].regressor_.n_jobs == 1


@pytest.mark.parametrize("family", ["knn", "lightgbm", "xgboost", "catboost"])
def test_threads_of_a_fit_are_not_used_and_stay(family: str) -> None:
    made = few_examples.fitted(family, 0, threads=2).fitted
    check_few(made, 0)
    inner = made[-1].regressor_ if hasattr(made[-1], "regressor_") else made[-1]
    assert {1, 2} & {inner.get_params().get("n_jobs"), inner.get_params().get("thread_count")} == {2}


def test_columns_by_name_are_a_table() -> None:
    made = few_examples.fitted("linear", 0).fitted
    columns = {str(name): column.to_numpy() for name, column in NEW.iloc[:3].items()}
    assert np.array_equal(predicted(made, columns, 0), predicted(made, NEW.iloc[:3], 0))
    many = {str(name): column.to_numpy() for name, column in NEW.items()}
    assert np.array_equal(predicted(made, many, 0), predicted(made, NEW, 0))


def test_many_rows_go_the_usual_way() -> None:
    made = few_examples.fitted("linear", 0).fitted
    assert len(predicted(made, NEW, 0)) == len(NEW) > FEW_ROWS and not takes_few(made)


def test_rows_of_other_types_go_the_usual_way() -> None:
    """Before and after rows that take the quick one."""
    made, row = few_examples.fitted("linear", 0).fitted, NEW.iloc[:1]
    for _ in range(2):
        odd = row.assign(town=pd.Series([4.5], dtype=object))
        assert np.array_equal(predicted(made, odd, 0), usually(made, odd, 0))
        with pytest.raises(ValueError, match="infinity"):
            predicted(made, row.assign(size=np.inf), 0)
        with pytest.raises(ValueError, match=r"columns are missing: \{'year'\}"):
            predicted(made, row.drop(columns="year"), 0)
        predicted(made, row, 0)
        assert takes_few(made)


def test_numbers_too_large_for_a_tree_are_refused_as_ever() -> None:
    made = few_examples.fitted("extra_trees", 0).fitted
    check_few(made, 0)
    with pytest.raises(ValueError, match="too large for dtype"):
        predicted(made, NEW.iloc[:1].assign(size=1e300), 0)


def test_a_way_that_gives_other_digits_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a version of a library in which something has changed."""
    made = few_examples.fitted("linear", 0).fitted
    expected = usually(made, NEW.iloc[:1], 0)
    monkeypatch.setattr(few_rows, "_way", lambda *_, **__: lambda _columns: expected + 1e-9)
    for _ in range(2):
        assert np.array_equal(predicted(made, NEW.iloc[:1], 0), expected)
        assert not takes_few(made)


def test_a_pipeline_of_other_steps_goes_the_usual_way() -> None:
    made = copy.deepcopy(few_examples.fitted("linear", 0).fitted)
    made[-1].transformer_ = made[-1].transformer_.set_params(with_std=False)
    made.steps.insert(1, ("more", "passthrough"))
    assert len(predicted(made, NEW.iloc[:1], 0)) == 1 and not takes_few(made)


@pytest.mark.slow
def test_a_model_that_is_gone_leaves_nothing() -> None:
    made = Ensemble(members(0, "linear", "knn"), [0.5, 0.5])
    check_few(made.fitted, 0)
    gone, before = weakref.ref(made.fitted), len(few_rows._MADE)
    del made
    gc.collect()
    assert gone() is None and len(few_rows._MADE) < before
