"""How wrong each row is, and groups of rows that are wrong more than the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist
from typing import Any, Final

import numpy as np

LEAST: Final = 20  # rows of a group, and outside of it
MOST: Final = 10  # groups of a column
ALPHA: Final = 0.05  # over all groups that are looked at
BY_PROBABILITY: Final = ("log_loss", "roc_auc")


@dataclass(frozen=True)
class Loss:
    """What each row loses, (n,); `name`: in words."""

    name: str
    values: np.ndarray


@dataclass(frozen=True)
class Group:
    """Rows of which a column's value is alike. `loss`: their mean; `others`: that of all other rows.

    `interval`: of the difference, so wide that all groups that were looked at hold at once.
    """

    column: str
    value: str
    rows: int
    loss: float
    others: float
    interval: tuple[float, float]

    @property
    def worse(self) -> bool:
        """Whether it is worse than the other rows, beyond chance."""
        return self.interval[0] > 0


def row_losses(metric: str, y: np.ndarray, predicted: np.ndarray) -> Loss:
    """The absolute error of numbers; of classes -log p of the true one, or whether another is predicted."""
    if predicted.ndim == 1:
        return Loss("absolute error", np.abs(y - predicted))
    if metric in BY_PROBABILITY:
        chance = np.clip(predicted[np.arange(len(y)), y], np.finfo(np.float64).eps, 1.0)
        return Loss("-log p of the true class", -np.log(chance))
    return Loss("share of wrong rows", (predicted.argmax(axis=1) != y).astype(np.float64))


def groups(x: Any, losses: np.ndarray) -> list[Group]:
    """All groups of the DataFrame `x` (n, features) with enough rows, those with the largest excess first.

    A group is a category, a quarter of the numbers (or one number, where there are few), or what is missing.
    Differences of means are judged by the spread of all rows, as if no group were special, at a level that
    holds for all groups together (Bonferroni).
    """
    total, spread = float(losses.sum()), float(losses.std(ddof=1)) if len(losses) > 1 else 0.0
    found: list[tuple[str, str, int, float]] = []  # no masks: a wide table has tens of thousands of groups
    for name in x.columns:
        for value, inside in _divided(x[name]):
            rows = int(inside.sum())
            if LEAST <= rows <= len(x) - LEAST:
                found.append((str(name), value, rows, float(losses[inside].sum())))
    width = NormalDist().inv_cdf(1 - ALPHA / 2 / max(len(found), 1)) * spread
    made = []
    for column, value, rows, lost in found:
        here, there = lost / rows, (total - lost) / (len(x) - rows)
        half = width * np.sqrt(1 / rows + 1 / (len(x) - rows))
        interval = (float(here - there - half), float(here - there + half))
        made.append(Group(column, value, rows, here, there, interval))
    return sorted(made, key=lambda one: (-one.interval[0], one.column, one.value))


def _divided(column: Any) -> Iterator[tuple[str, np.ndarray]]:
    import pandas as pd  # pandas takes half a second to import

    missing = column.isna().to_numpy()
    if missing.any():
        yield "missing", missing
    if not pd.api.types.is_numeric_dtype(column) or column.nunique() <= MOST:
        for value in column.value_counts().index[:MOST]:
            yield f"{value:g}" if isinstance(value, float) else str(value), (column == value).to_numpy()
        return
    edges = np.unique(column.quantile([0, 0.25, 0.5, 0.75, 1]).to_numpy(np.float64))
    values = column.to_numpy(np.float64)
    for place, (low, high) in enumerate(pairwise(edges)):
        below = values <= high
        yield f"{low:g} … {high:g}", below & ((values >= low) if place == 0 else (values > low))
