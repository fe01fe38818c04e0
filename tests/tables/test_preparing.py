"""How columns are prepared: encodings, rare categories, missing values, scales."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl.tables.columns import LARGE, prepared, scaler
from automl.tables.model import TableModel, tidy
from automl.tables.values import completed

RNG = np.random.default_rng(0)
ROWS = 400
MANY = RNG.integers(0, 40, ROWS)
X = pd.DataFrame(
    {"n": RNG.normal(size=ROWS), "few": RNG.choice(list("xyz"), ROWS), "many": [f"m{i}" for i in MANY]}
)
X.loc[:3, "n"] = np.nan
X.loc[5:7, "few"] = "seldom"
EFFECT = RNG.normal(size=40)  # of the categories of `many`, which nothing else tells


def columns(y: Any = None, classes: int = 0, **config: Any) -> np.ndarray:
    table = tidy(X)
    found = prepared(table, completed(config), classes, 0).transformer
    return np.asarray(found.fit_transform(table, np.zeros(ROWS) if y is None else y))


def test_boosting_takes_missing_numbers_and_categories_as_they_are() -> None:
    native = columns(boosting_encoding="native")
    assert native.shape == (ROWS, 3)
    assert np.isnan(native[:4, 2]).all() and not np.isnan(native[:, :2]).any()
    assert prepared(tidy(X), completed({"boosting_encoding": "native"}), 0, 0).categories == 2
    texts = columns(boosting_encoding="native", model="catboost")
    assert texts[5, 0] == "seldom"


def test_a_column_without_any_number_is_left_out_for_boosting() -> None:
    """HistGradientBoosting cannot divide it into bins."""
    x = X.assign(empty=np.nan)
    model = TableModel({"boosting_encoding": "native", "boosting_rounds": 2}, 0, 0).fit(x, EFFECT[MANY])
    assert np.array_equal(model.predict(x), model.predict(x.assign(empty=1.0)))


def test_a_category_that_was_not_seen_counts_as_missing() -> None:
    table = tidy(X)
    fitted = prepared(table, completed({"boosting_encoding": "native"}), 0, 0).transformer.fit(table)
    new = tidy(pd.DataFrame({"n": [0.5], "few": ["never"], "many": ["m1"]}))
    assert np.isnan(fitted.transform(new)[0, 0])


@pytest.mark.parametrize("classes", [0, 2, 3])
def test_large_categories_are_encoded_by_the_target_and_small_ones_by_columns(classes: int) -> None:
    y = EFFECT[MANY] if not classes else MANY % classes
    found = columns(y, classes, encoding="target")
    assert X["few"].nunique() <= LARGE < X["many"].nunique()
    of_many = 1 if classes < 3 else 3
    assert found.shape == (ROWS, 1 + X["few"].nunique() + of_many)
    if not classes:
        assert np.corrcoef(found[:, -1], y)[0, 1] > 0.9


def test_a_row_is_not_encoded_by_its_own_target() -> None:
    """Each category once: its own target would predict perfectly, others' targets do not at all."""
    table = tidy(pd.DataFrame({"n": np.zeros(ROWS), "id": [f"i{i}" for i in range(ROWS)]}))
    y = RNG.normal(size=ROWS)
    found = prepared(table, completed({"encoding": "target"}), 0, 0).transformer.fit_transform(table, y)
    assert abs(np.corrcoef(found[:, -1], y)[0, 1]) < 0.3


@pytest.mark.parametrize("config", [{"encoding": "one_hot"}, {"boosting_encoding": "one_hot"}])
def test_rare_categories_share_a_column(config: dict[str, Any]) -> None:
    assert columns(**config, rare=10).shape[1] < columns(**config, rare=1).shape[1]


def test_indicators_name_missing_numbers() -> None:
    found = columns(encoding="ordinal", indicators=True)
    assert found.shape == (ROWS, 4)
    assert found[:, 1].tolist() == X["n"].isna().astype(float).tolist()


def test_trees_are_not_scaled_unless_a_configuration_says_so() -> None:
    def names(**config: Any) -> list[str]:
        config = {"forest_trees": 2, **config}
        return list(TableModel(config, 0, 0).fit(X, EFFECT[MANY]).fitted.named_steps)

    assert "standardscaler" not in names(model="random_forest")
    assert "robustscaler" in names(model="random_forest", scaling="robust")
    assert "standardscaler" in names(model="knn")


@pytest.mark.parametrize("how", ["standard", "robust"])
def test_numbers_beyond_those_that_were_fitted_are_clipped(how: str) -> None:
    known = np.array([[0.0, 5.0], [1.0, 7.0], [4.0, 6.0]])
    beyond = np.array([[-3.0, 6.5], [2.0, 1e6]])
    clipped, plain = scaler(how, 3, clipping=True).fit(known), scaler(how, 3).fit(known)
    assert np.allclose(clipped.transform(beyond), plain.transform([[0.0, 6.5], [2.0, 7.0]]))
    assert np.allclose(clipped.transform(known), plain.transform(known))


def test_a_linear_model_does_not_run_away_with_a_huge_number() -> None:
    x, y = pd.DataFrame({"size": np.arange(50.0)}), 10.0 * np.arange(50)
    huge = pd.DataFrame({"size": [5000.0]})
    clipped, plain = (
        TableModel({"model": "linear", "linear_c": 1e4, "clipping": how}, 0, 0).fit(x, y).predict(huge)[0]
        for how in (True, False)
    )
    assert clipped == pytest.approx(490, rel=0.01) and plain == pytest.approx(50_000, rel=0.01)
