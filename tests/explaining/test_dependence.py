"""Partial dependence and its lines: the numbers of scikit-learn, at values that rows have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl.contracts import ReadColumn
from automl.data.reading.dates import Dates, parts
from automl.explaining.dependence import CATEGORIES, LINES, POINTS, dependence, grid, outputs_of
from automl.tables.model import TableModel, tidy

ROWS = 150
RNG = np.random.default_rng(0)
X = pd.DataFrame(
    {
        "size": RNG.uniform(20, 200, ROWS),
        "rooms": RNG.integers(1, 6, ROWS),
        "town": [("Ulm", "Bonn", None)[row % 3] for row in range(ROWS)],
    }
)
X.loc[::7, "size"] = np.nan
WORTH = X["size"].fillna(50).to_numpy() * (1 + (X["town"] == "Ulm")) + 10 * X["rooms"]
SIZE, ROOMS, TOWN = (
    ReadColumn("size", "number"),
    ReadColumn("rooms", "number"),
    ReadColumn("town", "category"),
)
CONFIG = {"model": "extra_trees", "forest_trees": 20}


def model(y: np.ndarray, classes: int) -> TableModel:
    return TableModel(CONFIG, classes, seed=0).fit(X, y)


@pytest.mark.parametrize("column", [SIZE, ROOMS, TOWN])
@pytest.mark.parametrize("classes", [0, 2, 3])
def test_the_values_are_those_of_scikit_learn(column: ReadColumn, classes: int) -> None:
    from sklearn.inspection import partial_dependence

    y = np.asarray(WORTH) if classes == 0 else (np.asarray(WORTH) // 150).clip(0, classes - 1).astype(int)
    fitted = model(y, classes)
    points = grid(column, X)
    assert points is not None
    outputs = [(place, str(place)) for place in range(1, max(classes, 2))]
    found = dependence(fitted.predict, X, column.name, points, outputs)
    values = np.array(["missing" if at is None else at for at in points.at], object)
    theirs = partial_dependence(
        fitted.fitted,
        tidy(X),
        [column.name],
        custom_values={column.name: values if column is TOWN else values.astype(float)},
        kind="both",
        method="brute",
        response_method="predict_proba" if classes else "auto",
    )
    places = [place for place, _ in outputs] if classes > 2 else [0]
    np.testing.assert_allclose(found.mean, theirs["average"][places], rtol=1e-12)
    np.testing.assert_allclose(found.lines, theirs["individual"][places[0]][:LINES], rtol=1e-12)
    assert len(found.lines) == LINES and found.rows == ROWS and np.ptp(found.middle) > 0


def test_a_grid_of_numbers_is_of_values_that_rows_have() -> None:
    points = grid(SIZE, X)
    assert points is not None and len(points.at) == POINTS and set(points.at) <= set(X["size"].dropna())
    assert list(points.at) == sorted(points.at)  # type: ignore[type-var]
    few = grid(ROOMS, X)
    assert few is not None and few.at == (1.0, 2.0, 3.0, 4.0, 5.0)
    skewed = grid(SIZE, X.assign(size=np.where(np.arange(ROWS) < 145, 0.0, np.arange(ROWS))))
    assert skewed is not None and skewed.at == (0.0, 145.0, 146.0, 147.0, 148.0, 149.0)
    assert grid(SIZE, X.assign(size=1.0)) is None and grid(SIZE, X.assign(size=np.nan)) is None


def test_all_numbers_of_a_date_change_together() -> None:
    days = pd.Series(pd.date_range("2024-01-30", periods=ROWS, freq="3D"))
    x = pd.DataFrame(parts("sold", Dates(days, ""), hours=False))
    points = grid(ReadColumn("sold", "date"), x)
    assert points is not None and points.kind == "date" and len(points.at) == POINTS
    assert set(points.at) <= set(days.dt.strftime("%Y-%m-%d"))
    for at, change in zip(points.at, points.changes, strict=True):
        day = pd.Timestamp(str(at))
        assert (change["sold_year"], change["sold_month"], change["sold_weekday"]) == (
            day.year,
            day.month,
            day.weekday(),
        )
    found = dependence(lambda t: t["sold_day"].to_numpy(), x, "sold", points, [(0, "price")])
    assert list(found.middle) == [pd.Timestamp(str(at)).day for at in points.at]
    hours = pd.DataFrame(parts("at", Dates(days + pd.Timedelta(hours=7, minutes=30), ""), hours=True))
    timed = grid(ReadColumn("at", "date", hours=True), hours)
    assert timed is not None and str(timed.at[0]).endswith("T07:30")


def test_categories_are_the_most_frequent_and_missing_is_one() -> None:
    points = grid(TOWN, X)
    assert points is not None and set(points.at) == {"Ulm", "Bonn", "missing"}
    assert points.changes[points.at.index("missing")] == {"town": None} and points.left_out == 0
    many = pd.DataFrame({"town": [f"town {row % 40}" for row in range(ROWS)]})
    shown = grid(TOWN, many)
    assert shown is not None and len(shown.at) == CATEGORIES and shown.left_out == 40 - CATEGORIES


def test_what_is_not_one_value_has_no_grid() -> None:
    x = pd.DataFrame({"tags=a": [0, 1], "tags_count": [1, 1], "said": ["one word", "two words"]})
    assert grid(ReadColumn("tags", "list", known=("a",)), x) is None
    assert grid(ReadColumn("said", "text"), x) is None


def test_rows_stay_as_they_were() -> None:
    before = X.copy()

    def spoil(table: Any) -> np.ndarray:
        return table["rooms"].to_numpy(np.float64)

    points = grid(TOWN, X)
    assert points is not None
    dependence(spoil, X, "town", points, [(0, "price")])
    pd.testing.assert_frame_equal(X, before)


def test_which_classes_are_followed() -> None:
    y = np.array([0, 1, 1, 2, 2, 2])
    assert outputs_of((), y, "price") == [(0, "price")]
    assert outputs_of(("no", "yes"), y, "sold") == [(1, "yes")]
    labels = [str(label) for label in range(9)]
    assert outputs_of(labels, y, "kind") == [(2, "2"), (1, "1"), (0, "0"), (3, "3")]
