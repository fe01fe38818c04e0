"""How wide intervals and how large sets must be, by rows that folds held out: `automl.tables.conformal`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from automl.checkpoints import write_atomically
from automl.contracts import (
    INTERVAL_LEVEL,
    INTERVAL_SHARE,
    INTERVAL_WIDTH,
    SET_SHARE,
    SET_SIZE,
    Config,
    Context,
    RunError,
    Split,
    Task,
    UserError,
    derive_seed,
    ended_by,
)
from automl.tables.conformal import (
    CALIBRATED,
    Calibration,
    bounded,
    calibration_of,
    read_calibration,
    write_calibration,
)
from automl.tables.conformal import DIFFICULTY as DIFFICULTY_FILE
from automl.tables.deciding import decided
from automl.tables.folds import folds
from automl.tables.model import TableModel

LEAST: Final = 200  # rows from which on a difficulty is tried
MOST: Final = 50_000  # rows that a difficulty is fitted on
NARROWER: Final = 0.95  # times the mean width, at which a difficulty is used
FLOOR: Final = 0.1  # times the mean residual is expected at least
SPARE: Final = 2.0  # times what a fit has taken must be left for each further one
DIFFICULTY: Final[Config] = {
    "model": "gradient_boosting",
    "boosting_encoding": "native",
    "boosting_rate": 0.05,
    "boosting_rounds": 60,
    "boosting_leaves": 8,
    "boosting_leaf": 20,
    "boosting_l2": 1.0,
}


def keep_calibration(context: Context, count: int, held: np.ndarray | None, folder: Path) -> list[str]:
    """Keep in the model's `folder` what intervals are made of, and say what should be known of it.

    `held` (n,) or (n, classes): predictions of the rows that `count` folds held out; None where they are
    not known.
    """
    if held is None:
        return [f"{_none(context.task)}: the errors of rows held out are not known"]
    threads = max(1, int(context.devices))

    def left() -> float:
        return context.remaining / context.devices

    try:
        found, notes = calibrate(context.task, count, held, left, context.seed, threads)
        write_calibration(found, folder)
    except Exception as error:  # such as too little memory: the model predicts without
        if (end := ended_by(error)) is not error:
            raise end from None
        return [f"{_none(context.task)}: {type(error).__name__}: {error}"]
    return notes


def copy_calibration(context: Context, folder: Path) -> list[str]:
    """Keep for a model that was fitted again what its tested model has; why not, where that is lost."""
    try:
        with context.refitted() as tested:
            for name in (DIFFICULTY_FILE, CALIBRATED):
                if (tested / name).is_file():
                    write_atomically(folder / name, (tested / name).read_bytes())
    except (RunError, OSError) as error:
        return [f"{_none(context.task)}: {error}"]
    return []


def _none(task: Task) -> str:
    return f"there are no prediction {'sets' if task.classes else 'intervals'}"


def measured(
    folder: Path, data: Split, predictions: np.ndarray, threshold: float | None = None
) -> dict[str, float]:
    """What intervals of the model in `folder` do on `data` of which it made `predictions` (n,).

    Of classes, predictions (n, classes), what sets do; `threshold`: by which it predicts. Nothing where it
    has none of `INTERVAL_LEVEL` that can be read.
    """
    try:
        found = read_calibration(folder)
        if found is None:
            return {}
        if found.classes:
            chosen = decided(predictions, threshold).argmax(axis=1)
            sets = found.sets(predictions, chosen, INTERVAL_LEVEL)
            held = sets[np.arange(len(data)), data.y]
            return {SET_SHARE: float(held.mean()), SET_SIZE: float(sets.sum(axis=1).mean())}
        half = found.half_width(data.x, INTERVAL_LEVEL)
    except UserError:
        return {}
    share = np.mean(np.abs(data.y - predictions) <= half)
    return {INTERVAL_SHARE: float(share), INTERVAL_WIDTH: float(2 * half.mean())}


def calibrate(
    task: Task, count: int, predictions: np.ndarray, left: Callable[[], float], seed: int, threads: int = 1
) -> tuple[Calibration, list[str]]:
    """What intervals are made of, and what should be known of it.

    `predictions` (n,) or (n, classes): of the rows that `count` folds held out, fold after fold; `left`: wall
    seconds. Of numbers with a difficulty where that makes intervals narrower on average, at the same coverage
    of these rows; of each row it is expected by residuals of other folds.
    """
    held = [places for _, places in folds(task, count)]
    by = "time" if task.in_time else "rows" if task.train.groups is None else "groups"
    if task.classes:
        return calibration_of(misses(task, held, predictions), by, classes=True), []
    found = _Residuals(task, held, residuals(task, held, predictions), seed, threads)
    plain = calibration_of(found.sizes, by)
    if len(found.sizes) < LEAST or not found.sizes.max() > 0:
        return plain, []
    expected = found.expected(left)
    if expected is None:
        return plain, ["no time was left to find out where errors are large: intervals have the same width"]
    scaled = calibration_of(found.sizes / expected, by)
    narrow, wide = scaled.quantile(INTERVAL_LEVEL) * float(expected.mean()), plain.quantile(INTERVAL_LEVEL)
    if not narrow < NARROWER * wide:
        return plain, []
    fitted = found.fitted(range(len(held))).fitted
    return calibration_of(found.sizes / expected, by, found.floor, fitted), []


def residuals(task: Task, held: Sequence[np.ndarray], predictions: np.ndarray) -> np.ndarray:
    """Absolute residuals (n,) of the rows `held`, part after part, and what rounding may hide of them."""
    truth = task.train.y[np.concatenate(held)]
    rounded = np.spacing(np.abs(predictions).astype(np.float32)).astype(np.float64) / 2
    return np.asarray(np.abs(truth - predictions.astype(np.float64)) + rounded)


def misses(task: Task, held: Sequence[np.ndarray], predictions: np.ndarray) -> np.ndarray:
    """1 - the probability of the true class (n,) of the rows `held`, and what rounding may hide of it."""
    truth = task.train.y[np.concatenate(held)]
    found = predictions[np.arange(len(truth)), truth].astype(np.float32)
    return np.asarray(1 - found.astype(np.float64) + np.spacing(found).astype(np.float64) / 2)


class _Residuals:
    """`sizes` (n,) of the rows `held`, part after part."""

    def __init__(
        self, task: Task, held: list[np.ndarray], sizes: np.ndarray, seed: int, threads: int
    ) -> None:
        self.task, self.held, self.sizes = task, held, sizes
        self.seed, self.threads = derive_seed(seed, "difficulty"), threads
        self.floor = FLOOR * float(sizes.mean())
        self.places = np.split(np.arange(len(sizes)), np.cumsum([len(rows) for rows in held])[:-1])

    def expected(self, left: Callable[[], float]) -> np.ndarray | None:
        """The size that the other parts expect for each row, (n,); None where no time is left."""
        found, slowest = np.empty(len(self.sizes)), 0.0
        for part in range(len(self.held)):
            if SPARE * slowest * (len(self.held) + 1 - part) > left() or left() <= 0:
                return None
            began = time.perf_counter()
            model = self.fitted(other for other in range(len(self.held)) if other != part)
            found[self.places[part]] = model.predict(self.task.train.x.iloc[self.held[part]])
            slowest = max(slowest, time.perf_counter() - began)
        return bounded(found, self.floor)

    def fitted(self, parts: Iterator[int] | range) -> TableModel:
        """A model of the sizes of these parts."""
        chosen = list(parts)
        rows = np.concatenate([self.held[part] for part in chosen])
        sizes = self.sizes[np.concatenate([self.places[part] for part in chosen])]
        few = _few(len(rows), self.seed)
        model = TableModel(DIFFICULTY, 0, self.seed, threads=self.threads, texts=self.task.texts)
        return model.fit(self.task.train.x.iloc[rows[few]], sizes[few])


def _few(rows: int, seed: int) -> np.ndarray:
    """Places of at most `MOST` of so many rows, in their order."""
    if rows <= MOST:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).permutation(rows)[:MOST])
