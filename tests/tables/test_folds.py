"""Folds: by class, by group and in time; refused where one could not be fitted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl.contracts import Split, Task, UserError
from automl.tables.folds import fewer, folds


def task(y: Any, classes: int, groups: np.ndarray | None = None, in_time: bool = False) -> Task:
    labels = ("cat", "dog", "owl")[:classes]
    part = Split(pd.DataFrame({"a": np.zeros(len(y))}), np.asarray(y), groups)
    return Task("t", "table", (1,), classes, part, part, "d" * 64, labels=labels, in_time=in_time)


def test_groups_stay_whole_in_folds() -> None:
    groups = np.repeat(np.arange(12), 5)
    for y, classes in ((np.arange(60) % 2, 2), (np.linspace(0, 1, 60), 0)):
        found = list(folds(task(y, classes, groups), 4))
        assert len(found) == 4
        assert not any(set(groups[fit]) & set(groups[held]) for fit, held in found)
        assert sorted(np.concatenate([held for _, held in found])) == list(range(60))


def test_folds_in_time_are_fitted_on_what_was_before() -> None:
    found = list(folds(task(np.arange(60) % 2, 2, in_time=True), 3))
    assert all(fit.max() < held.min() for fit, held in found) and len(found) == 3


def test_folds_are_those_of_the_data() -> None:
    first, again = (list(folds(task(np.arange(60) % 3, 3), 5)) for _ in range(2))
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(first, again, strict=True))


def test_fewer_rows_are_of_all_classes_and_the_same_each_time() -> None:
    y = np.array([0] * 80 + [1] * 18 + [2] * 2)
    given, rows = task(y, 3), np.arange(5, 100)
    found = fewer(given, rows, 0.2)
    assert np.bincount(y[found]).tolist() == [15, 4, 1] and set(found) <= set(rows.tolist())
    assert np.array_equal(found, fewer(given, rows, 0.2)) and (np.diff(found) > 0).all()
    assert len(fewer(task(np.linspace(0, 1, 60), 0), np.arange(60), 0.25)) == 15


@pytest.mark.parametrize(
    ("given", "count", "message"),
    [
        (task([0] * 20 + [1] * 20 + [2] * 4, 3), 5, r"fewer of 'owl' \(4\); lower evaluator.pipeline.folds"),
        (task(np.arange(60) % 2, 2, np.repeat([0, 1], 30)), 3, "3 folds need 3 groups, but training has 2"),
        (task([0] * 50 + [1] * 10, 2, in_time=True), 3, "fold 1 is not fitted on 'dog'"),
        (task(np.linspace(0, 1, 3), 0), 5, "5 folds need 5 rows, but training has 3"),
    ],
)
def test_what_cannot_be_folded_is_refused(given: Task, count: int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        list(folds(given, count))
