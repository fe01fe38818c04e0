"""How differently a model serves the groups of rows that a column makes.

Differences between the largest and the smallest group value, as in Fairlearn (Weerts et al., JMLR 2023);
demographic parity by Calders, Kamiran and Pechenizkiy (ICDM Workshops 2009), equalized odds by Hardt, Price
and Srebro (NeurIPS 2016).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from automl.contracts import Task, UserError
from automl.tables.deciding import decided
from automl.tables.folds import folds

PARITY: Final = "demographic_parity_difference"  # of the shares that are predicted as the second class
ODDS: Final = "equalized_odds_difference"  # of the true or of the false positive rates, the larger one
ERRORS: Final = "error_difference"  # of the error rates, or of the mean absolute errors of numbers
FEWEST: Final = 10  # rows of a group, of those that a rate is of: fewer say too little
MOST: Final = 50  # groups


def measured(classes: int | None = None) -> tuple[str, ...]:
    """The metrics for a target of so many classes, 0 for numbers; None: of any."""
    return (PARITY, ODDS, ERRORS) if classes in (None, 2) else (ERRORS,)


@dataclass(frozen=True)
class Groups:
    """Those that the values of a `column` of features make; None: there are none, and nothing is measured."""

    column: str | None

    def check(self, task: Task) -> None:
        """Raise `UserError` unless the column is there and makes groups."""
        if self.column is None:
            return
        names = [str(name) for name in task.train.x.columns]
        if self.column not in names:
            text = f"fairness must name a column of features, but got {self.column!r}"
            raise UserError(f"{text}; those are {', '.join(names)}")
        count = task.train.x[self.column].nunique(dropna=False)
        if not 2 <= count <= MOST:
            raise UserError(
                f"fairness must name a column that makes 2 to {MOST} groups, but {self.column!r} has {count} "
                "values; make a column of classes of it"
            )

    def differences(
        self, x: Any, y: np.ndarray, prediction: np.ndarray, threshold: float | None = None
    ) -> dict[str, float]:
        """On the rows `x`, by metric."""
        return {} if self.column is None else differences(x[self.column], y, prediction, threshold)

    def of_folds(self, task: Task, count: int, predictions: Sequence[np.ndarray]) -> dict[str, float]:
        """On all rows that folds held out, together: a fold has few of a small group."""
        if self.column is None or not predictions:
            return {}
        held = [rows for _, rows in folds(task, count)][: len(predictions)]
        order, train = np.concatenate(held), task.train
        return self.differences(train.x.iloc[order], train.y[order], np.concatenate(predictions))


def differences(
    groups: Any, y: np.ndarray, prediction: np.ndarray, threshold: float | None = None
) -> dict[str, float]:
    """Each metric on rows with these `groups`, targets and predictions, (n, classes) or (n,).

    0 where fewer than two groups have enough rows. Missing values are a group.
    """
    import pandas as pd  # pandas takes half a second to import

    codes = pd.factorize(np.asarray(groups, dtype=object), use_na_sentinel=False)[0]
    if prediction.ndim == 1:
        return {ERRORS: _spread(np.abs(prediction - y), codes)}
    classes = prediction.shape[1]
    said = decided(prediction, threshold if classes == 2 else None).argmax(axis=1)
    found = {ERRORS: _spread(said != y, codes)}
    if classes == 2:
        found[PARITY] = _spread(said == 1, codes)
        found[ODDS] = max(_spread((said == 1)[y == label], codes[y == label]) for label in (0, 1))
    return found


def _spread(values: np.ndarray, codes: np.ndarray) -> float:
    """The largest mean of a group less the smallest one."""
    counts = np.bincount(codes)
    sums = np.bincount(codes, weights=values.astype(np.float64))
    means = sums[counts >= FEWEST] / counts[counts >= FEWEST]
    return float(np.ptp(means)) if len(means) > 1 else 0.0
