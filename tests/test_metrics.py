"""Metrics: values against scikit-learn's, directions, refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn import metrics as sk

from automl import metrics
from automl.contracts import Direction, RunError, UserError


def probabilities(rows: int, classes: int) -> np.ndarray:
    p = np.random.default_rng(0).random((rows, classes))
    return p / p.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("classes", [2, 4])
def test_classification_equals_scikit_learn(classes: int) -> None:
    y, p = np.arange(60) % classes, probabilities(60, classes)
    label = p.argmax(axis=1)
    expected = {
        "accuracy": sk.accuracy_score(y, label),
        "balanced_accuracy": sk.balanced_accuracy_score(y, label),
        "f1": sk.f1_score(y, label, average="binary" if classes == 2 else "macro"),
        "log_loss": sk.log_loss(y, p),
        "roc_auc": sk.roc_auc_score(y, p[:, 1] if classes == 2 else p, multi_class="ovr"),
    }
    assert metrics.score(list(metrics.CLASSIFICATION), y, p) == pytest.approx(expected, rel=1e-12)


def test_regression_equals_scikit_learn() -> None:
    y, p = np.random.default_rng(0).normal(size=(2, 50))
    expected = {
        "mse": sk.mean_squared_error(y, p),
        "rmse": sk.root_mean_squared_error(y, p),
        "mae": sk.mean_absolute_error(y, p),
        "r2": sk.r2_score(y, p),
    }
    assert metrics.score(list(metrics.REGRESSION), y, p) == pytest.approx(expected, rel=1e-12)


def test_certain_and_wrong_is_finite() -> None:
    value = metrics.score(["log_loss"], np.array([0, 1]), np.array([[0.0, 1.0], [0.0, 1.0]]))["log_loss"]
    assert value == pytest.approx(-np.log(np.finfo(float).eps) / 2)


def test_constant_targets() -> None:
    assert metrics.score(["r2"], np.ones(3), np.ones(3)) == {"r2": 1.0}
    assert metrics.score(["r2"], np.ones(3), np.zeros(3)) == {"r2": 0.0}


def test_absent_classes() -> None:
    p = probabilities(6, 3)
    values = metrics.score(["roc_auc", "balanced_accuracy", "f1"], np.array([0, 0, 1, 1, 0, 1]), p)
    assert all(0 <= value <= 1 for value in values.values())
    with pytest.raises(UserError, match="at least two classes"):
        metrics.score(["roc_auc"], np.zeros(6, int), p)


def test_directions() -> None:
    smaller = {name for name, direction in metrics.DIRECTIONS.items() if direction is Direction.MINIMIZE}
    assert smaller == {"log_loss", "mse", "rmse", "mae", "parameters", "flops", "latency", "model_size"}
    assert len(metrics.DIRECTIONS) == 13


def test_refusals() -> None:
    with pytest.raises(UserError, match=r"must be one of accuracy.*but got r2"):
        metrics.score(["accuracy", "r2"], np.zeros(2, int), probabilities(2, 2))
    with pytest.raises(RunError, match="predictions must be finite"):
        metrics.score(["mse"], np.zeros(2), np.array([0, np.nan]))
    with pytest.raises(UserError, match="rmse, r2 does not suit classification"):
        metrics.check(["accuracy", "rmse", "r2"], classes=3)
    metrics.check(["accuracy", "parameters", "mine"], classes=3)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "1", None, [1.0], np.zeros(2), True, 1j, {}])
def test_values_must_be_finite_numbers(value: object) -> None:
    with pytest.raises(RunError, match="must be a finite number, but got loss="):
        metrics.finite({"loss": value}, ["loss"])


@pytest.mark.parametrize("value", [2, 2.0, np.float32(2), np.int64(2), np.array(2.0), torch.tensor(2.0)])
def test_numbers_of_all_kinds_are_taken(value: object) -> None:
    values = metrics.finite({"loss": value, "other": "x"}, ["loss"])
    assert values == {"loss": 2.0} and type(values["loss"]) is float


def test_a_missing_metric_is_named() -> None:
    with pytest.raises(RunError, match="but b is missing among a; return it"):
        metrics.finite({"a": 1.0}, ["a", "b"])
