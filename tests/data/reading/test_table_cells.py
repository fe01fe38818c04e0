"""Cells as people write them: numbers, dates, codes, classes, and what stands for no value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from table_examples import ROWS, X1, Y, csv, plain, table, told

from automl.contracts import UserError


@pytest.mark.parametrize(
    ("cells", "values", "words"),
    [
        ([f'"{n},257"' for n in range(1, 41)], [n * 1000 + 257 for n in range(1, 41)], ("thousands",)),
        ([f"{n}'257.5" for n in range(1, 41)], [n * 1000 + 257.5 for n in range(1, 41)], ("thousands",)),
        ([f"1 {n}" for n in range(100, 900, 20)], range(1100, 1900, 20), ("thousands",)),
        ([f"{n} %" for n in range(0, 80, 2)], range(0, 80, 2), ("units", "%")),
        ([f"${n}.50" for n in range(1, 80, 2)], [n + 0.5 for n in range(1, 80, 2)], ("units", "$")),
        ([f"{n} €" for n in range(1, 80, 2)], range(1, 80, 2), ("units", "€")),
        ([f"({n})" for n in range(1, 80, 2)], [-n for n in range(1, 80, 2)], ("brackets",)),
        ([f"−{n}" for n in range(1, 80, 2)], [-n for n in range(1, 80, 2)], ()),
        ([f"{n}e3" for n in range(1, 80, 2)], [n * 1000 for n in range(1, 80, 2)], ()),
    ],
)
def test_numbers_as_people_write_them(
    tmp_path: Path, cells: list[str], values: Any, words: tuple[str, ...]
) -> None:
    found = table(tmp_path, csv(plain(n=cells)))
    assert np.array_equal(found.x["n"], np.array(values, float))
    assert not words or told(found, "'n'", *words)


@pytest.mark.parametrize("token", ["?", "NA", "n/a", "-", "null", "#DIV/0!", ""])
def test_one_missing_cell_keeps_a_column_of_numbers(tmp_path: Path, token: str) -> None:
    found = table(tmp_path, csv(plain(n=[token, *range(3, 81, 2)])))
    assert found.x["n"].isna().sum() == 1 and found.x["n"].iloc[1] == 3
    assert told(found, "'n'", "no value") == (token != "")
    assert next(column for column in found.columns if column.name == "n").missing == 1 / ROWS


def test_a_text_among_numbers_is_told(tmp_path: Path) -> None:
    cells = ["many", *range(3, 81, 2)]
    found = table(tmp_path, csv(plain(n=cells)), columns={"keep": ["n"]})
    assert found.x["n"].iloc[0] == "many" and told(
        found, "'n' is read as categories", "'many'", "task.read.missing"
    )
    assert table(tmp_path, csv(plain(n=cells)), read={"missing": ["many"]}).x["n"].isna().sum() == 1


def test_codes_with_leading_zeros_are_categories(tmp_path: Path) -> None:
    found = table(tmp_path, csv(plain(zip=[f"0{n % 7}123" for n in range(ROWS)])))
    assert found.x["zip"].iloc[0] == "00123" and told(found, "'zip' is read as categories")
    again = table(
        tmp_path, csv(plain(grade=[n % 7 for n in range(ROWS)])), columns={"categorical": ["grade"]}
    )
    assert again.x["grade"].iloc[3] == "3"


def test_decimal_commas(tmp_path: Path) -> None:
    comma = [str(value).replace(".", ",") for value in X1]
    found = table(tmp_path, csv({"x1": comma, "big": [f"{n}.500,25" for n in range(1, 41)], "y": Y}, ";"))
    assert np.array_equal(found.x["x1"], X1) and found.x["big"].iloc[0] == 1500.25
    assert told(found, "decimal sign is a comma")
    quoted = table(tmp_path, csv({"x1": [f'"{cell}"' for cell in comma], "y": Y}))
    assert np.array_equal(quoted.x["x1"], X1)


def test_commas_that_may_be_either_are_told_and_can_be_set(tmp_path: Path) -> None:
    cells = [f"{n},{n + 100}" for n in range(1, 41)]
    found = table(tmp_path, csv({"n": cells, "y": Y}, ";"))
    assert found.x["n"].iloc[0] == 1.101 and told(found, "1,234", "decimal signs", "task.read.decimal")
    point = table(tmp_path, csv({"n": cells, "y": Y}, ";"), read={"decimal": "."})
    assert point.x["n"].iloc[0] == 1101


def test_classes_called_na_stay_apart_from_empty_cells(tmp_path: Path) -> None:
    for name in ("NA", "None", "null", "nan", "N/A"):
        found = table(
            tmp_path, csv({"x1": X1, "country": [name, "US"] * 20, "y": [name, "US", "US", name] * 10})
        )
        assert set(found.y) == {name, "US"} and set(found.x["country"]) == {name, "US"}
    empty = table(tmp_path, csv(plain(country=["NA", "", "US", "DE"] * 10)))
    assert empty.x["country"].isna().sum() == 10


def test_blanks_around_labels(tmp_path: Path) -> None:
    found = table(tmp_path, csv({"x1": X1, "y": [" yes", "no", "yes", "no "] * 10}))
    assert set(found.y) == {"yes", "no"} and told(found, "blanks around the cells of 'y'")
    assert told(
        table(tmp_path, csv({"x1": X1, "y": ["Yes", "no", "yes", "no"] * 10})), "'Yes', 'yes'", "case"
    )


@pytest.mark.parametrize(
    ("cells", "form"),
    [
        ([f"2024-{m:02d}-{d:02d}" for m in range(1, 11) for d in (3, 14, 25, 28)], "ISO"),
        ([f"2024-{m:02d}-{d:02d}T12:30:00Z" for m in range(1, 11) for d in (3, 14, 25, 28)], "ISO"),
        ([f"{d}.{m}.2024" for m in range(1, 11) for d in (3, 14, 25, 28)], "%d.%m.%Y"),
        ([f"{m}/{d}/2024" for m in range(1, 11) for d in (3, 14, 25, 28)], "%m/%d/%Y"),
        ([f"{d} {m} 2024" for m in ("Jan", "Mar", "Apr", "Dec") for d in range(3, 13)], "%d %b %Y"),
    ],
)
def test_dates_become_numbers(tmp_path: Path, cells: list[str], form: str) -> None:
    found = table(tmp_path, csv(plain(when=cells)))
    assert {"when_year", "when_month", "when_day", "when_weekday", "when_elapsed"} <= set(found.x.columns)
    assert found.x["when_day"].iloc[0] == 3 and found.x["when_month"].iloc[0] == 1
    assert ("when_hour" in found.x.columns) == ("T12" in cells[0])
    assert told(found, "'when' is read as dates", form) and "when" not in found.x.columns
    assert found.x["when_elapsed"].iloc[0] == pytest.approx(19725, abs=1)


def test_dates_that_may_be_either_are_told_and_can_be_set(tmp_path: Path) -> None:
    cells = [f"{a}/{b}/2024" for a in range(1, 9) for b in (1, 4, 6, 9, 12)]
    assert told(table(tmp_path, csv(plain(when=cells))), "%m/%d/%Y fits as well", "task.columns.date")
    found = table(tmp_path, csv(plain(when=cells)), columns={"date": {"when": "%m/%d/%Y"}})
    assert found.x["when_day"].iloc[1] == 4 and found.notes == ()
    with pytest.raises(UserError, match=r"task.columns.date must hold dates, but 'x1'.*, such as"):
        table(tmp_path, csv(plain()), columns={"date": ["x1"]})


def test_a_missing_date_is_missing(tmp_path: Path) -> None:
    cells = ["", *(f"2024-01-{1 + n % 28:02d}" for n in range(ROWS - 1))]
    found = table(tmp_path, csv(plain(when=cells)))
    assert found.x["when_year"].isna().sum() == found.x["when_elapsed"].isna().sum() == 1
