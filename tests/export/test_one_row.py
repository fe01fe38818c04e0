"""One row through what reads it and predicts it: the same frame as among many rows, and the same notes."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import few_examples
import numpy as np
import pandas as pd
import pytest
from test_served import winner

from automl.contracts import ReadColumn, TableReading, UserError
from automl.export import table_folder
from automl.export.table_folder import predictions
from automl.tables import model, saved
from automl.tables.few_rows import takes_few

READING = TableReading(
    (
        ReadColumn("size", "number", signs=(".",), units=("", "€")),
        ReadColumn("town", "category", known=("Bonn", "Kiel", "Ulm")),
        ReadColumn("street", "category"),
        ReadColumn("said", "text"),
        ReadColumn("year", "number"),
        ReadColumn("empty", "number"),
    ),
    "price",
    ("?",),
)
ROWS: tuple[dict[str, Any], ...] = (
    {"size": 1.5, "town": "Ulm", "year": 1999},
    {"size": "1.5", "town": "never", "year": "1999"},
    {"size": "2.5 €", "town": "?", "year": None},
    {"size": np.nan, "town": None, "year": "?"},
    {"size": 3, "town": " Kiel ", "year": True, "other": "left out"},
)


def frame(row: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame([{"said": "blue sky", "street": "s1", "empty": None, "price": 3, **row}], index=["a"])


@pytest.mark.parametrize("labels", [(), ("no", "yes")])
def test_one_row_is_predicted_as_ever(labels: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    fitted = few_examples.fitted("gradient_boosting", len(labels)).fitted
    described = saved.Described(READING, labels)
    predictions(fitted, described, frame(ROWS[0]))
    few = [predictions(fitted, described, frame(row)) for row in ROWS]
    assert takes_few(fitted)
    monkeypatch.setattr(model, "FEW_ROWS", 0)
    for row, (found, notes) in zip(ROWS, few, strict=True):
        usual, told = predictions(fitted, described, frame(row))
        pd.testing.assert_frame_equal(found, usual, check_exact=True)
        assert notes == told
    assert any("new categories" in note for note in few[1][1])


def test_what_is_wrong_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted, described = few_examples.fitted("linear", 0).fitted, saved.Described(READING, ())
    for _ in range(2):
        with pytest.raises(UserError, match="made from, but 'town' is missing"):
            predictions(fitted, described, frame(ROWS[0]).drop(columns="town"))
        with pytest.raises(UserError, match=r"'size' must hold numbers, .* row 1 has 'much'"):
            predictions(fitted, described, frame({"size": "much", "town": "Ulm", "year": 1}))
        predictions(fitted, described, frame(ROWS[0]))


@pytest.mark.slow
def test_a_folder_by_itself_takes_few_rows_so_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = few_examples.fitted("extra_trees", 2)
    saved.save(made, saved.Described(READING, ("no", "yes")), tmp_path)
    (tmp_path / "model.py").write_text(table_folder.module(winner("pipeline")))
    spec = importlib.util.spec_from_file_location("model_of_one_row", tmp_path / "model.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # dataclasses look it up
    spec.loader.exec_module(module)
    alone = module.load_model(tmp_path)
    first, second = alone(frame(ROWS[0])), alone(frame(ROWS[0]))
    pd.testing.assert_frame_equal(first, second, check_exact=True)
    assert module._MADE[alone.fitted].equal
    expected, _ = predictions(made.fitted, saved.Described(READING, ("no", "yes")), frame(ROWS[0]))
    pd.testing.assert_frame_equal(second, expected, check_exact=True)
