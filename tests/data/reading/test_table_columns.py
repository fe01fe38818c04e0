"""Texts; and columns that are no features: counters, names, constants, and the target under another name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from table_examples import ROWS, X1, X2, Y, csv, plain, table, told

from automl.contracts import UserError


@pytest.mark.parametrize(
    ("name", "cells", "why"),
    [
        ("", range(ROWS), "counts the rows"),
        ("day", range(1, ROWS + 1), "counts the rows"),
        ("down", range(ROWS, 0, -1), "counts the rows"),
        ("id", [n * 17 % 41 for n in range(1, ROWS + 1)], "names the rows"),
        ("customer", [f"c{n * 7 % 41}" for n in range(1, ROWS + 1)], "names the rows"),
        ("same", ["a"] * ROWS, "one value alone"),
        ("nothing", [""] * ROWS, "is empty"),
    ],
)
def test_columns_that_are_no_features(tmp_path: Path, name: str, cells: Any, why: str) -> None:
    found = table(tmp_path, csv({name: cells, "x1": X1, "y": Y}))
    shown = name or "column_1"
    assert list(found.x.columns) == ["x1"] and told(found, f"'{shown}' is left out", why, f"keep: [{shown}]")
    if why != "is empty":
        assert shown in table(tmp_path, csv({name: cells, "x1": X1, "y": Y}), columns={"keep": [shown]}).x


def test_texts_of_several_words_are_features_and_told(tmp_path: Path) -> None:
    said = ["", *(f"it was the best of times {n}" for n in range(1, ROWS))]
    found = table(tmp_path, csv(plain(said=said)))
    (column,) = [one for one in found.columns if one.name == "said"]
    assert column.kind == "text" and not column.unused and found.x["said"][0] is None
    assert told(found, "'said' is read as text", "task.columns.categorical: [said]")
    assert found.reading is not None and found.reading.columns[-1].kind == "text"
    stated = table(tmp_path, csv(plain(said=said)), columns={"categorical": ["said"], "keep": ["said"]})
    assert [one.kind for one in stated.columns if one.name == "said"] == ["category"]
    few = table(tmp_path, csv(plain(said=[f"it was the best of {n % 5}" for n in range(ROWS)])))
    assert [one.kind for one in few.columns if one.name == "said"] == ["category"]


def test_numbers_that_differ_are_features(tmp_path: Path) -> None:
    found = table(tmp_path, csv(plain(size=[n * 17 % 41 for n in range(1, ROWS + 1)])))
    assert "size" in found.x.columns and found.notes == ()
    assert list(table(tmp_path, csv(plain()), columns={"drop": ["x1"]}).x.columns) == ["x2"]


@pytest.mark.parametrize(
    "copy", [Y, 1 - Y, ["no" if value else "yes" for value in Y]], ids=["equal", "turned", "words"]
)
def test_the_target_under_another_name_is_refused(tmp_path: Path, copy: Any) -> None:
    with pytest.raises(
        UserError, match=r"'again' has one value for each value of 'y'; write task.columns.drop"
    ):
        table(tmp_path, csv(plain(again=copy)))
    assert "again" in table(tmp_path, csv(plain(again=copy)), columns={"keep": ["again"]}).x.columns
    assert "again" not in table(tmp_path, csv(plain(again=copy)), columns={"drop": ["again"]}).x.columns


def test_a_number_that_equals_the_target_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'price' has one value for each value of 'y'"):
        table(tmp_path, csv({"x1": X1, "price": X2, "y": X2}))
