"""Sizes of data decide which families are tried."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from automl.plugins import load
from automl.space import Choice, Int, Space
from automl.tables.families import FAMILIES
from automl.tables.sizes import LIMITS, not_tried

SPACE = load("spaces", "tabular")


def task(rows: int, columns: int) -> Any:
    return SimpleNamespace(train=range(rows), shape=(columns,))


def test_families_with_limits_exist() -> None:
    assert set(LIMITS) < set(FAMILIES)


@pytest.mark.parametrize(
    ("model", "rows", "columns", "tried"),
    [
        ("svm", 5_000, 10, True),
        ("svm", 5_001, 10, False),
        ("svm", 4_000, 200, False),
        ("knn", 20_000, 50, True),
        ("mlp", 20_000, 26, False),
        ("linear", 10**6, 1_000, True),
        ("gradient_boosting", 10**6, 1_000, True),
    ],
)
def test_rows_and_cells_are_limited(model: str, rows: int, columns: int, tried: bool) -> None:
    reason = not_tried({"model": model}, task(rows, columns), SPACE)
    assert bool(reason) != tried
    assert tried or f"training has {rows:,} rows × {columns:,} columns" in reason


def test_a_family_that_a_space_leaves_alone_is_tried() -> None:
    large = task(10**6, 1_000)
    assert not not_tried({"model": "svm"}, large, SPACE.fix({"model": "svm"}))
    assert not not_tried({"model": "svm"}, large, SPACE.narrow({"model": ["svm", "knn"]}))
    assert not_tried({"model": "svm"}, large, SPACE.narrow({"model": ["svm", "linear"]}))
    assert not not_tried({"model": "svm"}, large, Space({"svm_c": Int(1, 9), "model": Choice(("svm",))}))
    assert not not_tried({"svm_c": 1}, large, Space({"svm_c": Int(1, 9)}))
