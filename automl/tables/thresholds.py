"""The threshold at which the second of two classes is predicted, chosen on rows that folds held out.

As TunedThresholdClassifierCV of scikit-learn: the one of 100 at regular distances whose metric is best in the
mean over the folds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from automl import metrics
from automl.contracts import Mistakes, Task, UserError
from automl.tables.deciding import decided
from automl.tables.selection import Held

STEPS: Final = 100  # thresholds that are tried
ROWS: Final = 200_000  # by which they are judged; more say little more


@dataclass(frozen=True)
class Threshold:
    """A `value` of the probability of the second class, from which on it is predicted.

    `score`: of the metric, the mean over the folds, which chose it; `other`: of folds that have not chosen;
    `plain`: of the same folds where the larger probability decides.
    """

    value: float
    score: float
    other: float
    plain: float


def choose(held: Held, probabilities: np.ndarray) -> Threshold | None:
    """The threshold for `probabilities` (n, 2) of the rows held out; None where none is better than a half.

    That is asked of folds that did not choose: all others choose a threshold, by which each is judged.
    """
    few, rows = held.few(ROWS)
    p = np.asarray(probabilities[rows], dtype=np.float64)
    tried = np.linspace(p[:, 1].min(), p[:, 1].max(), STEPS)
    values = np.array([few.values(decided(p, one)) for one in tried.tolist()])  # (STEPS, folds)
    plain = float(np.mean(few.values(p)))
    folds = range(values.shape[1])
    by_others = [_best(tried, np.delete(values, fold, axis=1).mean(axis=1)) for fold in folds]
    other = float(np.mean([values[place, fold] for fold, place in enumerate(by_others)]))
    if other <= plain:
        return None
    place = _best(tried, values.mean(axis=1))
    return Threshold(float(tried[place]), float(values[place].mean()), other, plain)


def mistakes(metric: str) -> Mistakes:
    """A first metric that no threshold changes."""
    if metric not in metrics.BY_DECISION:
        text = f"needs one of the metrics {', '.join(metrics.BY_DECISION)} first, but got {metric}"
        yield "threshold", f"{text}; leave it out, or search by one of them"


def check_classes(task: Task) -> None:
    """Raise `UserError` unless the target has two classes."""
    if task.classes != 2:
        text = f"a threshold needs two classes, but {task.name!r} has {task.classes or 'numbers'}"
        raise UserError(f"{text}; leave evaluator.pipeline.threshold out")


def seen_by(name: str, prediction: np.ndarray, threshold: float | None) -> np.ndarray:
    """The `prediction` as the metric `name` sees it: decided, where it goes by which class is predicted."""
    return decided(prediction, threshold) if name in metrics.BY_DECISION else prediction


def score(
    names: Sequence[str], y: np.ndarray, prediction: np.ndarray, threshold: float | None
) -> dict[str, float]:
    """As `metrics.score`, where metrics of what is predicted go by the `threshold`."""
    if threshold is None:
        return metrics.score(names, y, prediction)
    return {name: metrics.score([name], y, seen_by(name, prediction, threshold))[name] for name in names}


def _best(tried: np.ndarray, values: np.ndarray) -> int:
    """The place of the largest value; of equal ones the one that is nearest to a half."""
    best = np.flatnonzero(values >= values.max() - 1e-12)
    return int(best[np.argmin(np.abs(tried[best] - 0.5))])
