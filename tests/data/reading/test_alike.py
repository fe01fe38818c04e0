"""New cells that are written otherwise than those of the training file are refused or told, never misread."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from table_examples import ROWS, X1, Y, csv, plain, table, told

from automl.contracts import TableReading, UserError
from automl.data.reading.rows import features_of, reading_of

HALVES = [n + 0.5 for n in range(ROWS)]


def trained(folder: Path, cells: Any, separator: str = ",", **task: Any) -> TableReading:
    """How the column `n` of a file with these cells is read."""
    columns = {**plain(n=cells)}
    if separator == ";":
        columns["x1"] = [str(x).replace(".", ",") for x in X1]
        columns["x2"] = columns["x1"]
    dataset = table(folder, csv(columns, separator), **task)
    reading = reading_of(dataset, dataset.x)
    assert reading is not None
    return TableReading(tuple(one for one in reading.columns if one.name == "n"), "y", reading.missing)


def read(reading: TableReading, *cells: Any) -> list[Any]:
    return list(features_of(reading, pd.DataFrame({"n": list(cells)}))[0].iloc[:, 0])


def notes(reading: TableReading, *cells: Any) -> list[str]:
    return features_of(reading, pd.DataFrame({"n": list(cells)}))[1]


def commas(numbers: Any) -> list[str]:
    return [str(number).replace(".", ",") for number in numbers]


@pytest.mark.parametrize(
    ("cells", "separator", "new", "message"),
    [
        (commas(HALVES), ";", "1.234", r"'n' had the decimal sign ',' there and row 2 has '1.234'"),
        (commas(HALVES), ";", "12.5", r"'n' must hold numbers, .* row 2 has '12.5'"),
        (HALVES, ",", "1,234", r"'n' had the decimal sign '.' there and row 2 has '1,234'"),
        (HALVES, ",", "12,5", r"'n' must hold numbers, .* row 2 has '12,5'"),
        ([n * n for n in range(ROWS)], ",", "1.234", r"'n' was whole there and row 2 has '1.234'"),
        ([n * n for n in range(ROWS)], ",", "-1,234 €", r"'n' was whole there and row 2 has '-1,234 €'"),
        ([f"{n} %" for n in HALVES], ",", "0.5 €", r"'n' had '%' there and row 2 has '0.5 €'; convert"),
        (HALVES, ",", "50%", r"'n' had none there and row 2 has '50%'; convert the column"),
        (HALVES, ",", "k.A.", r"'n' must hold numbers, .* row 2 has 'k.A.'"),
        ([f"{1 + n % 28}/{1 + n % 12}/2024" for n in range(ROWS)], ",", "3/25/2024", r"dates like %d/%m"),
    ],
)  # fmt: skip
def test_what_may_mean_two_things_is_refused(
    tmp_path: Path, cells: Any, separator: str, new: str, message: str
) -> None:
    reading = trained(tmp_path, cells, separator)
    with pytest.raises(UserError, match=message):
        features_of(reading, pd.DataFrame({"n": [str(cells[0]), new]}))


@pytest.mark.parametrize(
    ("cells", "separator", "new", "values"),
    [
        (commas(HALVES), ";", ["1.234,5", "1.234.567"], [1234.5, 1234567]),
        (commas(HALVES), ";", ["1.234", "2.345,6"], [1234, 2345.6]),
        (HALVES, ",", ["1,234", "2,345.6"], [1234, 2345.6]),
        (HALVES, ",", ["1'234", "1 234.5"], [1234, 1234.5]),
        ([f'"{n + 1},257"' for n in range(ROWS)], ",", ["1,234"], [1234]),
        ([n * n for n in range(ROWS)], ",", ["1.234", "0.5"], [1.234, 0.5]),
        ([n * n for n in range(ROWS)], ",", ["0.123"], [0.123]),
    ],
)
def test_what_the_column_makes_clear_is_read(
    tmp_path: Path, cells: Any, separator: str, new: list[str], values: list[float]
) -> None:
    assert read(trained(tmp_path, cells, separator), *new) == values


def test_stated_marks_are_clear(tmp_path: Path) -> None:
    whole = [n * n for n in range(ROWS)]
    assert read(trained(tmp_path, whole, read={"decimal": "."}), "1.234") == [1.234]
    assert read(trained(tmp_path, whole, read={"thousands": ","}), "1,234") == [1234]


def test_a_column_of_points_among_decimal_commas_is_read_by_points(tmp_path: Path) -> None:
    """12.5 is no number of decimal commas: 1.234 beside it is no thousand."""
    found = table(tmp_path, csv({"x1": commas(X1), "n": [1.234, *HALVES[1:]], "y": Y}, ";"))
    assert list(found.x["n"].iloc[:2]) == [1.234, 1.5] and told(found, "decimal sign is a comma")


def test_numbers_that_stand_for_no_value(tmp_path: Path) -> None:
    """However they are written, and as numbers too."""
    cells = ["-999", *HALVES[1:]]
    found = table(tmp_path, csv(plain(n=cells)), read={"missing": ["-999"]})
    assert np.isnan(found.x["n"].iloc[0]) and told(found, "'-999'", "no value")
    reading = trained(tmp_path, cells, read={"missing": ["-999"]})
    assert np.isnan(read(reading, "-999.0", "-999")).all() and np.isnan(read(reading, -999.0)).all()


def test_units_that_are_gone_are_told(tmp_path: Path) -> None:
    reading = trained(tmp_path, [f"{n} %" for n in HALVES])
    assert read(reading, "0.5") == [0.5] and "'n' had '%' beside its numbers" in notes(reading, "0.5")[0]
    assert notes(reading, "50 %") == [] and notes(trained(tmp_path, [f"{n} €" for n in HALVES]), "5€") == []


def test_objects_are_not_read_as_texts(tmp_path: Path) -> None:
    """1.234 as a number is no text of 1234."""
    reading = trained(tmp_path, commas(HALVES), ";")
    objects = pd.DataFrame({"n": pd.Series([1.234, "12,5", None, Decimal("2.5"), 3], dtype=object)})
    values = features_of(reading, objects)[0]["n"]
    assert np.array_equal(values, [1.234, 12.5, np.nan, 2.5, 3], equal_nan=True)
    days = trained(tmp_path, [f"{1 + n % 28}.{1 + n % 12}.2024" for n in range(ROWS)])
    when = pd.DataFrame({"n": pd.Series([datetime(2024, 3, 1).date(), None], dtype=object)})
    assert features_of(days, when)[0]["n_month"].iloc[0] == 3


def test_dates_that_fit_the_other_order_are_told(tmp_path: Path) -> None:
    reading = trained(tmp_path, [f"{1 + n % 28}/{1 + n % 12}/2024" for n in range(ROWS)])
    assert notes(reading, "3/4/2024", "") == [
        "every date of 'n' fits %m/%d/%Y as well; read as %d/%m/%Y, as before"
    ]
    assert notes(reading, "3/4/2024", "25/4/2024") == []


def test_new_categories_are_told(tmp_path: Path) -> None:
    reading = trained(tmp_path, [("yes", "no")[n % 2] for n in range(ROWS)])
    assert notes(reading, "yes", "") == []
    assert notes(reading, "yes", "maybe")[0].endswith("they count as none, such as 'maybe'")
    for words in (("true", "false"), ("Yes", "No"), ("1", "0")):
        assert "the model knows 'no', 'yes' alone; all cells are others" in notes(reading, *words)[0]


def test_truth_values_and_whole_numbers_are_the_words_of_the_file(tmp_path: Path) -> None:
    truth = trained(tmp_path, [("TRUE", "FALSE")[n % 2] for n in range(ROWS)])
    assert read(truth, True, False) == ["TRUE", "FALSE"] and notes(truth, True) == []
    grades = [f"{1 + n % 3}.0" for n in range(ROWS)]
    graded = trained(tmp_path, grades, columns={"categorical": ["n"]})
    assert read(graded, 2.0, 3) == ["2.0", "3.0"] and notes(graded, 2.0) == []


def test_rows_of_a_part_are_counted_from_the_start_of_the_file(tmp_path: Path) -> None:
    part = pd.DataFrame({"n": ["1", "many"]}, index=pd.RangeIndex(1000, 1002))
    with pytest.raises(UserError, match=r"row 1002 has 'many'"):
        features_of(trained(tmp_path, HALVES), part)
