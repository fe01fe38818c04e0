"""Intervals by the residuals of folds: whether they hold what they say, and when they differ between rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from held_out_rows import held_out

from automl.contracts import Config, Split, Task
from automl.tables.calibrating import calibrate, measured, residuals
from automl.tables.conformal import Calibration, calibration_of, write_calibration
from automl.tables.folds import folds
from automl.tables.model import TableModel

LINEAR: Config = {"model": "linear"}
FOLDS, TABLES, ROWS, NEW = 5, 4, 150, 2000
Spread = Callable[[np.ndarray], np.ndarray]


def constant(a: np.ndarray) -> np.ndarray:
    return np.ones(len(a))


def growing(a: np.ndarray) -> np.ndarray:
    return np.where(a > 0, 5.0, 0.5)


def split(rows: int, seed: int, spread: Spread) -> Split:
    rng = np.random.default_rng([seed, rows])
    x = pd.DataFrame({"a": rng.normal(size=rows), "b": rng.normal(size=rows)})
    a = x["a"].to_numpy()
    return Split(x, 2 * a - x["b"].to_numpy() + spread(a) * rng.normal(size=rows))


def task(rows: int, seed: int, spread: Spread = constant) -> Task:
    return Task("t", "table", (2,), 0, split(rows, seed, spread), split(NEW, seed, spread), f"{seed:064d}")


def made(given: Task, left: Callable[[], float] = lambda: math.inf) -> tuple[Calibration, list[str]]:
    return calibrate(given, FOLDS, held_out(given, LINEAR, FOLDS), left, 0)


def covered(given: Task, found: Calibration, level: float) -> np.ndarray:
    """Whether the interval of each new row holds its target, by the model of all training rows."""
    model = TableModel(LINEAR, 0, 0).fit(given.train.x, given.train.y)
    new = given.validation
    return np.abs(new.y - model.predict(new.x)) <= found.half_width(new.x, level)


def test_they_hold_the_share_of_new_targets_that_they_say() -> None:
    """The coverage of one table is Beta(k, n + 1 - k), of deviation √(level·(1 - level)/(n + 2)).

    New rows add a binomial deviation. The mean over the tables is four of both away once in 16,000 runs.
    """
    tables = [task(ROWS, seed) for seed in range(TABLES)]
    found = [made(one)[0] for one in tables]
    for level in (0.8, 0.9):
        share = np.mean([covered(one, own, level).mean() for one, own in zip(tables, found, strict=True)])
        variance = level * (1 - level) * (1 / (ROWS + 2) + 1 / NEW) / TABLES
        assert share == pytest.approx(level, abs=4 * math.sqrt(variance))


def test_they_are_wide_where_errors_are_large_if_that_makes_them_narrower() -> None:
    given = task(600, 1, growing)
    found, notes = made(given)
    assert found.difficulty is not None and notes == [] and "wider where" in found.told
    new = given.validation
    wide, half = new.x["a"].to_numpy() > 0, found.half_width(new.x, 0.9)
    assert half[wide].mean() > 3 * half[~wide].mean()
    plain = made(given, lambda: 0.0)[0]
    assert half.mean() < 0.9 * plain.quantile(0.9)
    holds = covered(given, found, 0.9)
    tolerance = 4 * math.sqrt(0.09 * (1 / 602 + 1 / NEW))
    assert holds.mean() == pytest.approx(0.9, abs=tolerance)
    assert holds[wide].mean() > 0.8 and covered(given, plain, 0.9)[wide].mean() < 0.85


def test_equal_errors_have_one_width() -> None:
    found, notes = made(task(300, 2))
    assert found.difficulty is None and notes == [] and len(found.scores) == found.rows == 300


def test_without_time_they_have_one_width_which_is_told() -> None:
    left = iter([math.inf, *[1e-9] * 10])
    found, notes = made(task(300, 3, growing), lambda: next(left))
    assert found.difficulty is None and found.rows == 300
    assert notes == ["no time was left to find out where errors are large: intervals have the same width"]


def test_rows_of_groups_and_in_time_are_told_apart() -> None:
    given = task(60, 4)
    assert made(given)[0].by == "rows"
    grouped = replace(given, train=replace(given.train, groups=np.arange(60) // 4))
    assert made(grouped)[0].by == "groups"
    found = made(replace(given, in_time=True))[0]
    assert found.by == "time" and found.rows == 50, "the first rows are held out by no fold"


def test_what_the_rounding_of_kept_predictions_hides_counts_as_an_error() -> None:
    given = task(40, 5)
    far = replace(given, train=Split(given.train.x, given.train.y + 1e9))
    exact = far.train.y[: len(far.train)]
    held = [np.arange(40)]
    sizes = residuals(far, held, exact.astype(np.float32))
    assert (sizes >= np.abs(exact - exact.astype(np.float32).astype(np.float64))).all() and sizes.min() >= 32


def test_what_a_test_measures_of_them(tmp_path: Path) -> None:
    given = task(100, 7)
    new, found = given.validation, made(given)[0]
    model = TableModel(LINEAR, 0, 0).fit(given.train.x, given.train.y)
    assert measured(tmp_path, new, model.predict(new.x)) == {}
    write_calibration(found, tmp_path)
    width = 2 * found.quantile(0.9)
    share = float(covered(given, found, 0.9).mean())
    expected = {"interval_share": share, "interval_width": pytest.approx(width)}
    assert measured(tmp_path, new, model.predict(new.x)) == expected
    (tmp_path / "intervals.json").write_text("torn")
    assert measured(tmp_path, new, model.predict(new.x)) == {}
    write_calibration(calibration_of(np.ones(8), "rows"), tmp_path)
    assert measured(tmp_path, new, model.predict(new.x)) == {}, "too few rows for the level"


def parts(given: Task) -> Iterator[np.ndarray]:
    yield from (held for _, held in folds(given, FOLDS))


def test_the_same_data_give_the_same_intervals() -> None:
    given = task(300, 6, growing)
    one, other = made(given)[0], made(given)[0]
    assert one.scores == other.scores and np.array_equal(
        one.half_width(given.validation.x, 0.9), other.half_width(given.validation.x, 0.9)
    )
    sizes = residuals(given, list(parts(given)), held_out(given, LINEAR, FOLDS))
    assert one.difficulty is not None or one.scores == tuple(np.sort(sizes).tolist())
