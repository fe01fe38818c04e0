"""Classes with too few rows: refused by name, dropped or merged."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl.contracts import Split, TaskSpec, UserError
from automl.data.dataset import Dataset
from automl.data.parts import Parts, split_dataset

SIZES = {"cat": 20, "dog": 15, "eel": 2, "owl": 1}


def parts(sizes: dict[str, int] = SIZES, test: Split | None = None, **split: Any) -> Parts:
    y = np.array([name for name, size in sizes.items() for _ in range(size)])
    raw = Dataset(pd.DataFrame({"a": np.arange(len(y)) * 0.5}), y, "table", test=test)
    task = TaskSpec.from_json(
        {"dataset": "pets", "metrics": [{"name": "accuracy", "direction": "maximize"}], "split": split}
    )
    return split_dataset(raw, "pets", task)


def test_all_rare_classes_are_named() -> None:
    with pytest.raises(
        UserError, match=r"3 parts and 'eel' \(2 rows\), 'owl' \(1 row\); add rows, set task.split"
    ):
        parts()


def test_rows_of_rare_classes_are_dropped() -> None:
    found = parts(rare="drop")
    assert found.labels == ("cat", "dog") and len(found.dataset.y) == 35
    assert any("'eel' (2 rows), 'owl' (1 row)" in note for note in found.dataset.notes)
    assert np.array_equal(found.dataset.x["a"], np.arange(35) * 0.5)


def test_rare_classes_are_merged() -> None:
    found = parts(rare="merge")
    assert found.labels == ("cat", "dog", "other") and np.bincount(found.dataset.y).tolist() == [20, 15, 3]
    assert all(
        2 in found.dataset.y[rows] for rows in (found.rows.train, found.rows.validation, found.rows.test)
    )
    named = parts({"cat": 20, "other": 15, "eel": 2, "owl": 1}, rare="merge")
    assert named.labels == ("cat", "other", "other classes")


def test_a_class_of_the_test_part_goes_with_its_rows() -> None:
    test = Split(pd.DataFrame({"a": [0.1, 0.2, 0.3]}), np.array(["owl", "cat", "dog"]))
    found = parts(test=test, rare="drop")
    assert found.dataset.test is not None and found.labels == ("cat", "dog", "eel")
    assert found.dataset.test.y.tolist() == [0, 1] and found.dataset.test.x["a"].tolist() == [0.2, 0.3]


@pytest.mark.parametrize(
    ("sizes", "rare", "message"),
    [
        ({"cat": 20, "eel": 1, "owl": 1}, "merge", "together have fewer; set task.split.rare: drop"),
        ({"cat": 20, "owl": 1}, "drop", "at least two classes must be left"),
        ({"eel": 2, "owl": 1}, "merge", "at least two classes must be left"),
    ],
)
def test_too_little_is_left(sizes: dict[str, int], rare: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parts(sizes, rare=rare)
