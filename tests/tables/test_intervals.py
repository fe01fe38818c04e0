"""Intervals of test scores: against hand-made values, the metrics themselves, and how often they hold."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from automl import metrics
from automl.tables.intervals import LEAST, _weighted, delong, delong_variance, interval, named

Drawn = tuple[np.ndarray, np.ndarray]


def classes(rows: int, count: int, seed: int) -> Drawn:
    """Labels and probabilities that lean to them; every class is there."""
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.arange(count), rng.integers(0, count, rows - count)])
    p = np.exp(rng.normal(size=(rows, count)) + 1.5 * np.eye(count)[y])
    return y, p / p.sum(1, keepdims=True)


def numbers(rows: int, seed: int) -> Drawn:
    rng = np.random.default_rng(seed)
    y = rng.normal(5, 2, rows)
    return y, y + rng.normal(size=rows)


def test_delong_by_hand() -> None:
    """Ones 3, 5, 2 and zeros 1, 3: of 6 pairs 4.5 are right (3 = 3 counts half), the area is 0.75.

    Placements of the ones 3/4, 1, 1/2 have the variance 1/16; those of the zeros 1, 1/2 have 1/8. That of
    the area is 1/16/3 + 1/8/2.
    """
    y, scores = np.array([1, 1, 1, 0, 0]), np.array([3.0, 5.0, 2.0, 1.0, 3.0])
    area, variance = delong_variance(y, scores)
    assert (area, variance) == pytest.approx((0.75, 1 / 48 + 1 / 16))


@pytest.mark.slow
def test_delong_is_what_the_bootstrap_finds() -> None:
    y, p = classes(400, 2, 1)
    area, variance = delong_variance(y, p[:, 1])
    assert area == pytest.approx(metrics.score(["roc_auc"], y, p)["roc_auc"])
    rng, found = np.random.default_rng(0), []
    ones, zeros = np.flatnonzero(y == 1), np.flatnonzero(y == 0)
    for _ in range(2000):
        rows = np.concatenate([rng.choice(ones, len(ones)), rng.choice(zeros, len(zeros))])
        found.append(metrics.score(["roc_auc"], y[rows], p[rows])["roc_auc"])
    assert math.sqrt(variance) == pytest.approx(np.std(found), rel=0.07)  # of 2000: 1.6 %
    low, high = delong(y, p[:, 1]) or (0, 0)
    assert np.quantile(found, [0.025, 0.975]) == pytest.approx([low, high], abs=0.006)


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("name", list(metrics.CLASSIFICATION))
def test_rows_that_count_once_give_the_metric(name: str, count: int) -> None:
    y, p = classes(200, count, 2)
    p = p.round(2)  # equal scores
    value = _weighted(name, y, p)
    assert value is not None
    assert value(np.ones(len(y))) == pytest.approx(metrics.score([name], y, p)[name])
    twice = np.random.default_rng(0).integers(0, 3, len(y))
    rows = np.repeat(np.arange(len(y)), twice)
    assert value(twice) == pytest.approx(metrics.score([name], y[rows], p[rows])[name])


@pytest.mark.parametrize("name", list(metrics.REGRESSION))
def test_numbers_that_count_often_give_the_metric(name: str) -> None:
    y, p = numbers(200, 3)
    value = _weighted(name, y, p)
    assert value is not None
    often = np.random.default_rng(0).integers(0, 3, len(y))
    rows = np.repeat(np.arange(len(y)), often)
    assert value(often) == pytest.approx(metrics.score([name], y[rows], p[rows])[name])


@pytest.mark.parametrize("name", [*metrics.CLASSIFICATION, *metrics.REGRESSION])
def test_the_value_lies_within_and_more_rows_say_more(name: str) -> None:
    widths = []
    for rows in (100, 900):
        y, p = classes(rows, 3, 4) if name in metrics.CLASSIFICATION else numbers(rows, 4)
        low, high = interval(name, y, p) or (0, 0)
        assert low < metrics.score([name], y, p)[name] < high
        assert interval(name, y, p) == (low, high)
        widths.append(high - low)
    assert 1.8 < widths[0] / widths[1] < 5  # the root of 9, and chance


def test_wilson_on_a_known_case() -> None:
    y = np.zeros(100, int)
    p = np.repeat([[0.8, 0.2], [0.3, 0.7]], [90, 10], axis=0)
    assert interval("accuracy", y, p) == pytest.approx((0.826, 0.945), abs=0.0005)


def test_rows_of_a_group_count_together() -> None:
    """Ten copies of each row say no more than the row."""
    y, p = classes(80, 2, 5)
    often = np.repeat(np.arange(80), 10)
    for name in ("accuracy", "roc_auc", "log_loss"):
        (low, high), (alone, above) = (
            interval(name, y[often], p[often], groups) or (0, 0) for groups in (often, None)
        )
        assert 2.2 < (high - low) / (above - alone) < 4.2  # the root of 10


def test_nothing_is_said_where_nothing_can_be() -> None:
    y, p = classes(100, 2, 6)
    assert interval("log_loss", y[: LEAST - 1], p[: LEAST - 1]) is None
    assert interval("log_loss", y, p, np.arange(100) % (LEAST - 1)) is None
    assert interval("latency", y, p) is None
    right = np.eye(2)[y]
    assert interval("roc_auc", y, right) is None and interval("f1", y, right) is None
    low, high = interval("accuracy", y, right) or (0, 0)
    assert (low, high) == pytest.approx((0.963, 1.0), abs=0.001)  # Wilson says something of none wrong
    assert named("f1", None) == {} and named("f1", (0.1, 0.2)) == {"f1_low": 0.1, "f1_high": 0.2}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "draw"),
    [
        ("roc_auc", lambda seed, rows: classes(rows, 2, seed)),
        ("log_loss", lambda seed, rows: classes(rows, 3, seed)),
        ("balanced_accuracy", lambda seed, rows: classes(rows, 3, seed)),
        ("f1", lambda seed, rows: classes(rows, 2, seed)),
        ("rmse", lambda seed, rows: numbers(rows, seed)),
        ("r2", lambda seed, rows: numbers(rows, seed)),
    ],
)
def test_intervals_hold_as_often_as_they_say(name: str, draw: Callable[[int, int], Drawn]) -> None:
    """Of 300 intervals 95 % should hold the value of very many rows; 4 standard errors are 5 %, and the
    percentiles of 200 rows are known to hold a little too seldom."""
    truth = metrics.score([name], *draw(10**6, 400_000))[name]
    held = 0
    for seed in range(300):
        low, high = interval(name, *draw(seed, 200)) or (0, 0)
        held += low <= truth <= high
    assert 0.89 <= held / 300 <= 0.99
