"""Permutation importance of a table's columns, as the loss of score when a column says nothing any more.

A. Fisher, C. Rudin, F. Dominici: All Models are Wrong, but Many are Useful, JMLR 20(177), 2019. All features
that are made of a column are exchanged between rows together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from automl import metrics
from automl.contracts import Direction, Metric, UserError
from automl.explaining.changes import Change, Predict, predictions
from automl.tables.quick import metric as quick

DRAWS: Final = 20  # samples of the rows for each permutation
LEVEL: Final = 0.95


@dataclass(frozen=True)
class Importance:
    """How much worse the metric gets without a column; `interval`: of `LEVEL`, over permutations and rows."""

    column: str
    mean: float
    interval: tuple[float, float]

    @property
    def matters(self) -> bool:
        """Whether chance alone would hardly show as much."""
        return self.interval[0] > 0


def importances(
    predict: Predict,
    table: tuple[Any, np.ndarray],
    columns: Mapping[str, Sequence[str]],
    metric: Metric,
    seed: int,
    repeats: int,
) -> list[Importance]:
    """The importance of each of `columns`, whose features in the DataFrame x (n, …) it names; largest first.

    `table`: x and the targets y (n,). Each of the `repeats` permutations is scored on `DRAWS` bootstrap
    samples of the rows, the same ones with and without the permutation. Equal seeds give equal values.
    """
    x, y = table
    rng = np.random.default_rng(seed)
    samples = _samples(metric.name, y, predict(x), rng)
    orders = [rng.permutation(len(y)) for _ in range(repeats)]
    shuffled = [(column, order) for column in columns for order in orders]
    changes = (_shuffle(x, columns[column], order) for column, order in shuffled)
    losses: dict[str, list[float]] = {column: [] for column in columns}
    for (column, _), predicted in zip(shuffled, predictions(predict, x, changes), strict=True):
        losses[column] += _losses(metric, y, predicted, samples)
    found = []
    for column, values in losses.items():
        low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
        found.append(Importance(column, float(np.mean(values)), (low, high)))
    return sorted(found, key=lambda one: (-one.mean, one.column))


def most_used(
    predict: Predict, x: Any, columns: Mapping[str, Sequence[str]], seed: int, most: int
) -> dict[str, Sequence[str]]:
    """The `most` of `columns` by how much one shuffle of each changes predictions of `x` (n, …), in mean.

    The target plays no part, so the choice favours no column by chance. All of them where they are no more.
    """
    if len(columns) <= most:
        return dict(columns)
    before, order = predict(x), np.random.default_rng(seed).permutation(len(x))
    changes = (_shuffle(x, features, order) for features in columns.values())
    used = [-float(np.abs(after - before).mean()) for after in predictions(predict, x, changes)]
    names = list(columns)
    return {names[place]: columns[names[place]] for place in np.argsort(used, kind="stable")[:most]}


def _shuffle(x: Any, features: Sequence[str], order: np.ndarray) -> Change:
    return {feature: x[feature].to_numpy()[order] for feature in features}


def _samples(
    name: str, y: np.ndarray, predicted: np.ndarray, rng: np.random.Generator
) -> list[tuple[np.ndarray, float]]:
    """Bootstrap samples of the rows on which the metric has a value, and that value."""
    found = []
    for _ in range(DRAWS):
        rows = rng.integers(0, len(y), len(y))
        try:
            metrics.score([name], y[rows], predicted[rows])
            found.append((rows, quick(name)(y[rows], predicted[rows])))
        except UserError:  # such as roc_auc where all rows drawn are of one class
            continue
    if not found:
        raise UserError(
            f"{name} must have a value on samples of the validation rows, but {len(y)} rows are too few; "
            "set task.split.validation to a larger part"
        )
    return found


def _losses(
    metric: Metric, y: np.ndarray, predicted: np.ndarray, samples: Sequence[tuple[np.ndarray, float]]
) -> list[float]:
    sign = 1 if metric.direction is Direction.MAXIMIZE else -1
    value = quick(metric.name)
    return [sign * (before - value(y[rows], predicted[rows])) for rows, before in samples]
