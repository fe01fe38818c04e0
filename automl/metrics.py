"""Metrics by name: their directions, and their values on predictions.

A prediction is an (n, classes) array of class probabilities, or an (n,) array of values for
regression. Resource metrics (`parameters`, `flops`, `latency`, `model_size`) are measured by evaluators.
scikit-learn is imported by the two metrics that need it: it takes a second, and `automl check` needs none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any, Protocol, runtime_checkable

import numpy as np

from automl.contracts import LARGEST_VALUE, Direction, RunError, UserError

_Score = Callable[[np.ndarray, np.ndarray], float]


@runtime_checkable
class _ZeroDimensional(Protocol):
    """A number of NumPy or torch, as far as it is needed here; a shape of () makes it one number."""

    @property
    def shape(self) -> object:
        """The sizes of its dimensions."""

    def item(self) -> object:
        """Its only number."""


def _accuracy(y: np.ndarray, p: np.ndarray) -> float:
    return float(np.mean(p.argmax(axis=1) == y))


def _balanced_accuracy(y: np.ndarray, p: np.ndarray) -> float:
    hits = p.argmax(axis=1) == y
    return float(np.mean([hits[y == label].mean() for label in np.unique(y)]))


def _f1(y: np.ndarray, p: np.ndarray) -> float:
    """F1 of class 1 when there are two classes, else the mean over all classes."""
    from sklearn.metrics import f1_score  # scikit-learn takes a second to import

    classes = p.shape[1]
    average = "binary" if classes == 2 else "macro"
    return float(f1_score(y, p.argmax(axis=1), labels=range(classes), average=average, zero_division=0.0))


def _log_loss(y: np.ndarray, p: np.ndarray) -> float:
    """Mean of -log p[true class], with p kept above the smallest float64 step below 1."""
    return float(-np.log(np.clip(p[np.arange(len(y)), y], np.finfo(np.float64).eps, 1.0)).mean())


def _roc_auc(y: np.ndarray, p: np.ndarray) -> float:
    """Area under the ROC curve; the mean of one class against the rest for more than two."""
    from sklearn.metrics import roc_auc_score  # scikit-learn takes a second to import

    labels = [label for label in range(p.shape[1]) if 0 < np.count_nonzero(y == label) < len(y)]
    if not labels:
        raise UserError(
            f"roc_auc needs rows of at least two classes, but got {len(y)} rows of one; "
            "use more rows or another metric"
        )
    if p.shape[1] == 2:
        return float(roc_auc_score(y, p[:, 1]))
    return float(np.mean([roc_auc_score(y == label, p[:, label]) for label in labels]))


def _mse(y: np.ndarray, p: np.ndarray) -> float:
    return float(np.mean((y - p) ** 2))


def _rmse(y: np.ndarray, p: np.ndarray) -> float:
    return math.sqrt(_mse(y, p))


def _mae(y: np.ndarray, p: np.ndarray) -> float:
    return float(np.mean(np.abs(y - p)))


def _r2(y: np.ndarray, p: np.ndarray) -> float:
    """1 - MSE / variance; 0 when the targets do not vary and are not met exactly."""
    variance = float(np.var(y))
    error = _mse(y, p)
    if variance == 0:
        return 1.0 if error == 0 else 0.0
    return 1 - error / variance


CLASSIFICATION: dict[str, _Score] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "f1": _f1,
    "log_loss": _log_loss,
    "roc_auc": _roc_auc,
}
REGRESSION: dict[str, _Score] = {"mse": _mse, "rmse": _rmse, "mae": _mae, "r2": _r2}
BY_DECISION = ("accuracy", "balanced_accuracy", "f1")  # that see which class is predicted alone
RESOURCES = ("parameters", "flops", "latency", "model_size")
_MINIMIZED = {"log_loss", "mse", "rmse", "mae", *RESOURCES}

DIRECTIONS: dict[str, Direction] = {
    name: Direction.MINIMIZE if name in _MINIMIZED else Direction.MAXIMIZE
    for name in (*CLASSIFICATION, *REGRESSION, *RESOURCES)
}


def check(names: Sequence[str], classes: int) -> None:
    """Raise `UserError` when a known metric does not suit a task of so many classes (0: regression)."""
    fitting, kind = (CLASSIFICATION, "classification") if classes else (REGRESSION, "regression")
    wrong = [name for name in names if name in {**CLASSIFICATION, **REGRESSION} and name not in fitting]
    if wrong:
        raise UserError(
            f"a metric must suit its task, but {', '.join(wrong)} does not suit {kind}; "
            f"use one of {', '.join(fitting)}"
        )


def score(names: Sequence[str], y_true: np.ndarray, prediction: np.ndarray) -> dict[str, float]:
    """Metrics of `prediction`, (n, classes) probabilities or (n,) values, against `y_true`, (n,).

    Raises `UserError` for a metric that does not suit the prediction's shape, `RunError` for
    predictions that are not finite.
    """
    table = CLASSIFICATION if prediction.ndim == 2 else REGRESSION
    unknown = [name for name in names if name not in table]
    if unknown:
        raise UserError(
            f"a metric of predictions must be one of {', '.join(table)}, but got {', '.join(unknown)}; "
            "choose another metric or another evaluator"
        )
    if not np.isfinite(prediction).all():
        raise RunError("predictions must be finite, but some are nan or infinite; the trial has failed")
    exact = prediction.astype(np.float64)
    return {name: table[name](y_true, exact) for name in names}


def finite(values: Mapping[str, object], names: Sequence[str]) -> dict[str, float]:
    """The value of every name as a float. Raises `RunError` when one is missing or not finite."""
    missing = [name for name in names if name not in values]
    if missing:
        raise RunError(
            f"an evaluation must give every metric, but {', '.join(missing)} is missing "
            f"among {', '.join(map(str, values)) or 'none'}; return it"
        )
    return {name: number(name, values[name]) for name in names}


def number(name: str, value: object) -> float:
    """The value of a metric as a float; numbers of NumPy and torch are numbers, truth values are none.

    Raises `RunError` for anything else, and for a number that is not finite or beyond ±1e100: strategies,
    statistics and plots compute squares and sums of values.
    """
    plain = isinstance(value, float | int)  # most are; to ask for a protocol takes longer than all else here
    if not plain and isinstance(value, _ZeroDimensional) and value.shape == ():
        value = value.item()
    real: Any = math.nan if isinstance(value, bool) or not isinstance(value, Real) else value
    if abs(real) <= LARGEST_VALUE:
        return float(real)
    finite = LARGEST_VALUE < abs(real) < math.inf
    rule = f"must be at most {LARGEST_VALUE:g} in size" if finite else "must be a finite number"
    raise RunError(f"a metric {rule}, but got {name}={_shown(value)}; check the evaluation")


def _shown(value: object) -> str:
    """A few characters of any value; those of an integer of thousands of digits cannot be had."""
    try:
        return f"{value!r:.100}"
    except Exception:  # a value's own way to show itself may fail too
        return f"a {type(value).__name__} that cannot be shown"
