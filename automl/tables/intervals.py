"""Intervals of scores on test rows: what chance in the choice of these rows may do.

Shares of right rows: E. B. Wilson, 1927. The area under a ROC curve: E. R. DeLong, D. M. DeLong and
D. L. Clarke-Pearson: Comparing the areas under two or more correlated ROC curves, Biometrics 44, 1988; on the
scale of logits, so that it stays within 0 and 1. All others: percentiles of the bootstrap (B. Efron,
R. J. Tibshirani: An introduction to the bootstrap, 1993, chapters 8 and 13), each class resampled by itself,
since the split keeps its share. Rows of a group are resampled together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

LEVEL: Final = 0.95
Z: Final = 1.959964  # of a normal distribution, for `LEVEL`
RESAMPLES: Final = 2000
FEWEST: Final = 400  # resamples of very many rows
WORK: Final = 40_000_000  # rows that are drawn together, where that is not fewer than `FEWEST` samples
LEAST: Final = 10  # rows, or groups, from which on they say how much they vary
Weighted = Callable[[np.ndarray], float]


def interval(
    name: str, y: np.ndarray, predicted: np.ndarray, groups: np.ndarray | None = None, seed: int = 0
) -> tuple[float, float] | None:
    """The interval of the metric `name` on rows with targets `y` (n,) and predictions (n, classes) or (n,).

    `groups` (n,): rows that belong together. None where too few of them, or too uniform ones, tell nothing,
    and for a metric that has none.
    """
    units = len(y) if groups is None else len(np.unique(groups))
    if units < LEAST:
        return None
    if name == "accuracy" and groups is None:
        return wilson(float((predicted.argmax(1) == y).mean()), len(y))
    if name == "roc_auc" and predicted.shape[1] == 2 and groups is None:
        return delong(y, predicted[:, 1])
    value = _weighted(name, y, predicted)
    if value is None:
        return None
    classes = y if predicted.ndim == 2 else np.zeros(len(y), int)
    weights = _by_row(classes, seed) if groups is None else _by_group(groups, seed)
    found = np.array([value(one) for one in weights])
    found = found[np.isfinite(found)]
    if len(found) < FEWEST / 2 or found.min() == found.max():
        return None
    low, high = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
    return low, high


def named(name: str, found: tuple[float, float] | None) -> dict[str, float]:
    """An interval among the measurements of a model: `NAME_low` and `NAME_high`, where there is one."""
    return {} if found is None else {f"{name}_low": found[0], f"{name}_high": found[1]}


def delong(y: np.ndarray, scores: np.ndarray) -> tuple[float, float] | None:
    """The interval of the area under the ROC curve of `scores` (n,) for classes `y` (n,) of 0 and 1.

    None for a class of fewer than two rows, and where no pair of rows, or every one, is in the wrong order.
    """
    area, variance = delong_variance(y, scores)
    if not 0 < area < 1 or not variance > 0:
        return None
    middle = math.log(area / (1 - area))
    width = Z * math.sqrt(variance) / (area * (1 - area))
    low, high = (1 / (1 + math.exp(-(middle + sign * width))) for sign in (-1, 1))
    return low, high


def delong_variance(y: np.ndarray, scores: np.ndarray) -> tuple[float, float]:
    """The area, and its variance: Σ over the classes of the variance of the placements, by their rows."""
    ones, zeros = scores[y == 1], scores[y == 0]
    if min(len(ones), len(zeros)) < 2:
        return math.nan, math.nan
    above, below = _placed(ones, zeros), 1 - _placed(zeros, ones)
    variance = above.var(ddof=1) / len(ones) + below.var(ddof=1) / len(zeros)
    return float(above.mean()), float(variance)


def _placed(these: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Of each of `these` (m,), the share of `others` below it; equal ones count half."""
    ordered = np.sort(others)
    both = np.searchsorted(ordered, these, "left") + np.searchsorted(ordered, these, "right")
    return np.asarray(both / (2 * len(others)))


def wilson(share: float, rows: int) -> tuple[float, float]:
    """The interval of a share of so many rows (E. B. Wilson, 1927)."""
    middle = share + Z**2 / (2 * rows)
    spread = Z * math.sqrt(share * (1 - share) / rows + (Z / (2 * rows)) ** 2)
    low, high = ((middle + sign * spread) / (1 + Z**2 / rows) for sign in (-1, 1))
    return min(low, share), max(high, share)  # but for rounding they hold it


def _count(rows: int) -> int:
    return max(FEWEST, min(RESAMPLES, WORK // rows))


def _by_row(classes: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    """How often each row is drawn, (n,), when as many of each class are drawn with replacement."""
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(classes == label) for label in np.unique(classes)]
    for _ in range(_count(len(classes))):
        drawn = [rows[rng.integers(0, len(rows), len(rows))] for rows in members]
        yield np.bincount(np.concatenate(drawn), minlength=len(classes))


def _by_group(groups: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(seed)
    codes = np.unique(groups, return_inverse=True)[1]
    count = int(codes.max()) + 1
    for _ in range(_count(len(groups))):
        yield np.bincount(rng.integers(0, count, count), minlength=count)[codes]


def _weighted(name: str, y: np.ndarray, p: np.ndarray) -> Weighted | None:
    """The metric as a function of how often each row counts; None of one that has no such form here."""
    if p.ndim == 1:
        return _of_numbers(name, y, p)
    if name == "log_loss":
        losses = -np.log(np.clip(p[np.arange(len(y)), y], np.finfo(np.float64).eps, 1.0))
        return lambda weights: float(weights @ losses / weights.sum())
    if name == "roc_auc":
        areas = [_area(y == label, p[:, label]) for label in _classes_of_area(y, p)]
        return lambda weights: float(np.mean([area(weights) for area in areas]))
    of_counts = {"accuracy": _share_right, "balanced_accuracy": _mean_recall, "f1": _f1}.get(name)
    if of_counts is None:
        return None
    count, cells = p.shape[1], y * p.shape[1] + p.argmax(1)

    def value(weights: np.ndarray) -> float:
        table = np.bincount(cells, weights, count * count).reshape(count, count)
        return of_counts(table)

    return value


def _of_numbers(name: str, y: np.ndarray, p: np.ndarray) -> Weighted | None:
    squares, sizes = (y - p) ** 2, np.abs(y - p)

    def mean(values: np.ndarray, weights: np.ndarray) -> float:
        return float(weights @ values / weights.sum())

    def r2(weights: np.ndarray) -> float:
        spread = mean(y**2, weights) - mean(y, weights) ** 2
        return 1 - mean(squares, weights) / spread if spread > 0 else math.nan

    y = y - y.mean()  # so that the difference of squares keeps its digits
    known: dict[str, Weighted] = {
        "mse": lambda weights: mean(squares, weights),
        "rmse": lambda weights: math.sqrt(mean(squares, weights)),
        "mae": lambda weights: mean(sizes, weights),
        "r2": r2,
    }
    return known.get(name)


def _share_right(table: np.ndarray) -> float:
    return float(np.trace(table) / table.sum())


def _mean_recall(table: np.ndarray) -> float:
    there = table.sum(1) > 0
    return float((np.diag(table)[there] / table.sum(1)[there]).mean())


def _f1(table: np.ndarray) -> float:
    """Of class 1 where there are two classes, else the mean of all; of a class that is nowhere it is 0."""
    both = table.sum(0) + table.sum(1)
    values = np.divide(2 * np.diag(table), both, out=np.zeros(len(table)), where=both > 0)
    return float(values[1] if len(table) == 2 else values.mean())


def _classes_of_area(y: np.ndarray, p: np.ndarray) -> list[int]:
    if p.shape[1] == 2:
        return [1]
    return [label for label in range(p.shape[1]) if 0 < np.count_nonzero(y == label) < len(y)]


def _area(is_class: np.ndarray, scores: np.ndarray) -> Weighted:
    """The area under the ROC curve; rows of equal scores count half."""
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf))

    def value(weights: np.ndarray) -> float:
        ones = np.add.reduceat((weights * is_class)[order], starts)
        zeros = np.add.reduceat((weights * ~is_class)[order], starts)
        pairs = ones.sum() * zeros.sum()
        below = np.cumsum(zeros) - zeros / 2
        return float(ones @ below / pairs) if pairs else math.nan

    return value
