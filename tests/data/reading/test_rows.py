"""New rows are read as those of the training file, or refused with the cell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from table_examples import ROWS, csv, plain, table

from automl.contracts import TableReading, UserError
from automl.data.dataset import Dataset
from automl.data.reading.rows import features_of, reading_of

MIXED = {
    "price": [f"{1000 + 37 * row},5 €" for row in range(ROWS)],
    "when": [f"{1 + row % 28:02}.03.2024 {row % 24:02}:30" for row in range(ROWS)],
    "town": [("Ulm", "Bonn", "7")[row % 3] for row in range(ROWS)],
    "code": [f"0{10 + row % 9}" for row in range(ROWS)],
    "gap": ["" if row % 7 == 0 else "n/a" if row % 11 == 0 else str(row * row) for row in range(ROWS)],
}


@pytest.fixture
def mixed(tmp_path: Path) -> Dataset:
    columns = plain(**MIXED)
    return table(tmp_path, csv({**columns, "x1": [str(x).replace(".", ",") for x in columns["x1"]]}, ";"))


def texts(**cells: Any) -> pd.DataFrame:
    """The rows of the file as they stand there, with other cells where given."""
    columns = {**plain(**MIXED), **cells}
    frame = pd.DataFrame({name: [str(cell) for cell in values] for name, values in columns.items()})
    frame["x1"] = frame["x1"].str.replace(".", ",")
    return frame


def reading(dataset: Dataset) -> TableReading:
    found = reading_of(dataset, dataset.x)
    assert found is not None
    return found


def test_the_training_rows_are_read_again_in_any_order_of_columns_and_one_by_one(mixed: Dataset) -> None:
    expected = mixed.x.astype(dict.fromkeys(mixed.x.select_dtypes("number"), "float64"))
    rows = texts()
    again, notes = features_of(reading(mixed), rows[list(reversed(rows.columns))])
    pd.testing.assert_frame_equal(again, expected, check_dtype=False)
    assert notes == []
    for row in (0, 7, 11, 24):
        one, _ = features_of(reading(mixed), rows.iloc[[row]])
        pd.testing.assert_frame_equal(one, expected.iloc[[row]], check_dtype=False)


def test_columns_of_a_frame_may_have_types(mixed: Dataset) -> None:
    expected, _ = features_of(reading(mixed), texts())
    typed = texts()
    typed["price"] = expected["price"]
    typed["gap"] = expected["gap"]
    typed["x1"] = expected["x1"]
    typed["when"] = pd.to_datetime(typed["when"], format="%d.%m.%Y %H:%M", utc=True)
    again, _ = features_of(reading(mixed), typed)
    pd.testing.assert_frame_equal(again, expected)


def test_whole_numbers_of_a_column_of_categories_are_written_as_in_the_file(tmp_path: Path) -> None:
    kinds = [1 + row % 3 for row in range(ROWS)]
    made = table(tmp_path, csv(plain(kind=kinds)), columns={"categorical": ["kind"]})
    rows = pd.DataFrame({"x1": [0.5] * 3, "x2": [1] * 3, "kind": [2.0, 3, np.nan]})
    values = features_of(reading(made), rows)[0]["kind"]
    assert list(values[:2]) == ["2", "3"] and pd.isna(values[2])


def test_what_is_missing_everywhere_is_missing(mixed: Dataset) -> None:
    empty, _ = features_of(reading(mixed), texts(gap=["n/a"] * ROWS, price=[""] * ROWS, when=[""] * ROWS))
    assert empty[["gap", "price", "when_year", "when_hour"]].isna().all().all()


def test_unknown_columns_are_told(mixed: Dataset) -> None:
    _, notes = features_of(reading(mixed), texts(other=["a"] * ROWS))
    assert notes == ["columns that the model does not know are left out: 'other'"]


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"price": ["1,5"] * 3 + ["many"] * (ROWS - 3)}, r"'price' must hold numbers.* but row 4 has 'many'"),
        ({"gap": ["007"] * ROWS}, r"'gap' must hold numbers.* but row 1 has '007'"),
        ({"when": ["soon"] * ROWS}, r"'when' must hold dates like %d\.%m\.%Y %H:%M.* row 1 has 'soon'"),
        ({"x2": ["inf"] * ROWS}, r"numbers must be finite or missing, but 'x2' has an infinite one in row 1"),
    ],
)
def test_a_cell_of_another_kind_is_refused(mixed: Dataset, cells: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        features_of(reading(mixed), texts(**cells))


def test_a_column_that_is_missing_is_named(mixed: Dataset) -> None:
    with pytest.raises(UserError, match=r"'town', 'code' are missing; there are: "):
        features_of(reading(mixed), texts().drop(columns=["town", "code"]))
    twice = pd.concat([texts(), texts()[["town"]]], axis=1)
    with pytest.raises(UserError, match=r"every column must be there once, but 'town'"):
        features_of(reading(mixed), twice)


def test_a_dataset_without_a_file_is_read_by_the_types_of_its_columns() -> None:
    frame = pd.DataFrame({"a": [1.5, 2.0], "b": ["x", None], 3: [True, False]})
    made = Dataset(frame, np.array([0, 1]), "table")
    again, _ = features_of(reading(made), frame)
    assert list(again.columns) == ["a", "b", "3"] and list(again["3"]) == [1.0, 0.0]
    pictures = Dataset(np.zeros((2, 1, 4, 4)), np.array([0, 1]), "image")
    assert reading_of(pictures, pictures.x) is None
