"""Sets of classes by the probabilities of rows that folds held out: whether they hold what they say."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from held_out_rows import held_out

from automl.contracts import Split, Task, UserError
from automl.tables.calibrating import calibrate, measured, misses
from automl.tables.conformal import Calibration, calibration_of, read_calibration, write_calibration
from automl.tables.model import TableModel

FOLDS, TABLES, ROWS, NEW = 5, 4, 200, 2000
LINEAR = {"model": "linear"}


def split(rows: int, seed: int) -> Split:
    """Three classes, which overlap."""
    rng = np.random.default_rng([seed, rows])
    y = np.arange(rows) % 3
    x = rng.normal(size=(rows, 2)) + 1.5 * np.stack([y == 1, y == 2], axis=1)
    return Split(pd.DataFrame(x, columns=["a", "b"]), y)


def task(seed: int) -> Task:
    return Task("t", "table", (2,), 3, split(ROWS, seed), split(NEW, seed), f"{seed:064d}")


def made(given: Task) -> Calibration:
    found, notes = calibrate(given, FOLDS, held_out(given, LINEAR, FOLDS), lambda: math.inf, 0)
    assert notes == []
    return found


def sets(given: Task, found: Calibration, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Those of new rows by the model of all training rows, and its probabilities."""
    p = TableModel(LINEAR, 3, 0).fit(given.train.x, given.train.y).predict(given.validation.x)
    return found.sets(p, p.argmax(axis=1), level), p


def test_they_hold_the_share_of_new_classes_that_they_say() -> None:
    """See `test_calibrating.test_they_hold_the_share_of_new_targets_that_they_say`."""
    tables = [task(seed) for seed in range(TABLES)]
    found = [made(one) for one in tables]
    for level in (0.8, 0.9, 0.95):
        held = [
            sets(one, own, level)[0][np.arange(NEW), one.validation.y].mean()
            for one, own in zip(tables, found, strict=True)
        ]
        variance = level * (1 - level) * (1 / (ROWS + 2) + 1 / NEW) / TABLES
        assert np.mean(held) == pytest.approx(level, abs=4 * math.sqrt(variance) + 1 / ROWS)


def test_they_are_large_where_classes_overlap_and_hold_what_is_predicted() -> None:
    given = task(1)
    found, p = sets(given, made(given), 0.9)
    sizes, sure = found.sum(axis=1), p.max(axis=1)
    assert sizes[sure > 0.95].mean() == 1 and sizes[sure < 0.6].mean() > 1.5
    assert found[np.arange(NEW), p.argmax(axis=1)].all()
    narrow = made(given).sets(p, p.argmax(axis=1), 0.3)
    assert (narrow.sum(axis=1) == 1).all(), "none is empty"


def test_the_scores_are_what_the_true_class_lacks() -> None:
    given = replace(task(2), train=Split(pd.DataFrame({"a": [0.0, 1.0]}), np.array([0, 2])))
    p = np.array([[0.25, 0.5, 0.25], [0.125, 0.125, 0.75]], np.float32)
    found = misses(given, [np.array([0]), np.array([1])], p)
    assert found.tolist() == pytest.approx([0.75, 0.25]) and (found >= [0.75, 0.25]).all()


def test_rows_that_are_too_few_are_told() -> None:
    few = calibration_of(np.linspace(0.1, 0.8, 8), "rows", classes=True)
    with pytest.raises(UserError, match=r"a set of the level 0\.9 needs the errors of 9 rows or more"):
        few.quantile(0.9)
    assert few.told.startswith("sets by the probabilities of 8 rows that folds held out; they hold")


def test_they_are_kept_and_measured(tmp_path: Path) -> None:
    given = task(3)
    calibration = made(given)
    found, p = sets(given, calibration, 0.9)
    new = given.validation
    assert measured(tmp_path, new, p) == {}
    write_calibration(calibration, tmp_path)
    assert read_calibration(tmp_path) == calibration and calibration.classes
    held = found[np.arange(NEW), new.y]
    assert measured(tmp_path, new, p) == {
        "set_share": held.mean(),
        "set_size": pytest.approx(found.sum(axis=1).mean()),
    }


def test_what_a_threshold_predicts_is_in_the_set(tmp_path: Path) -> None:
    """Also where its probability is small."""
    write_calibration(calibration_of(np.full(99, 0.3), "rows", classes=True), tmp_path)
    data = Split(pd.DataFrame({"a": [0.0]}), np.array([1]))
    p = np.array([[0.8, 0.2]])
    assert measured(tmp_path, data, p)["set_share"] == 0
    assert measured(tmp_path, data, p, threshold=0.1) == {"set_share": 1, "set_size": 2}
