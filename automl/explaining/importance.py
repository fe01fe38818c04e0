"""Permutation importance of a table's columns, as the loss of score when a column says nothing any more.

A. Fisher, C. Rudin, F. Dominici: All Models are Wrong, but Many are Useful, JMLR 20(177), 2019. All features
that are made of a column are exchanged between rows together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from automl import metrics
from automl.contracts import Direction, Metric, UserError

DRAWS: Final = 20  # samples of the rows for each permutation
LEVEL: Final = 0.95
ROWS: Final = 20_000  # that are predicted together: of a wide table a call costs more than its rows
CELLS: Final = 20_000_000  # that are in memory for that
Predict = Callable[[Any], np.ndarray]


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
    losses: dict[str, list[float]] = {column: [] for column in columns}
    together = max(1, min(ROWS, CELLS // x.shape[1]) // len(y))
    for first in range(0, len(shuffled), together):
        part = shuffled[first : first + together]
        predictions = np.split(
            predict(_changed(x, [(columns[name], order) for name, order in part])), len(part)
        )
        for (column, _), predicted in zip(part, predictions, strict=True):
            losses[column] += _losses(metric, y, predicted, samples)
    found = []
    for column, values in losses.items():
        low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
        found.append(Importance(column, float(np.mean(values)), (low, high)))
    return sorted(found, key=lambda one: (-one.mean, one.column))


def _changed(x: Any, changes: Sequence[tuple[Sequence[str], np.ndarray]]) -> Any:
    """A copy of the DataFrame `x` (n, …) for each change, in a row: these features in that order (n,)."""
    copies = x.iloc[np.tile(np.arange(len(x)), len(changes))].reset_index(drop=True)
    for number, (features, order) in enumerate(changes):
        rows = slice(number * len(x), (number + 1) * len(x))
        for feature in features:
            copies.iloc[rows, copies.columns.get_loc(feature)] = x[feature].to_numpy()[order]
    return copies


def _samples(
    name: str, y: np.ndarray, predicted: np.ndarray, rng: np.random.Generator
) -> list[tuple[np.ndarray, float]]:
    """Bootstrap samples of the rows on which the metric has a value, and that value."""
    found = []
    for _ in range(DRAWS):
        rows = rng.integers(0, len(y), len(y))
        try:
            found.append((rows, metrics.score([name], y[rows], predicted[rows])[name]))
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
    name = metric.name
    return [
        sign * (before - metrics.score([name], y[rows], predicted[rows])[name]) for rows, before in samples
    ]
