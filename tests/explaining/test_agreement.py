"""Probabilities against shares, and numbers against their predictions."""

from __future__ import annotations

import numpy as np
import pytest

from automl.explaining.agreement import BINS, POINTS, calibration, pairs

RNG = np.random.default_rng(0)
CHANCE = RNG.uniform(size=20_000)
Y = (RNG.uniform(size=len(CHANCE)) < CHANCE).astype(int)


def two(chance: np.ndarray) -> np.ndarray:
    return np.column_stack([1 - chance, chance])


def test_true_probabilities_are_calibrated_and_sharpened_ones_are_not() -> None:
    found = calibration(Y, two(CHANCE), ("no", "yes"))
    assert found is not None and found.of == "probability of yes" and found.error < 0.02
    assert len(found.bins) == BINS and {one.rows for one in found.bins} == {2000}
    assert sum(one.interval[0] <= one.predicted <= one.interval[1] for one in found.bins) >= 8
    wrong = calibration(Y, two(np.where(CHANCE > 0.5, 0.99, 0.01)), ("no", "yes"))
    assert wrong is not None and len(wrong.bins) == 2 and wrong.error == pytest.approx(0.24, abs=0.02)
    assert [one.predicted for one in wrong.bins] == pytest.approx([0.01, 0.99])
    assert wrong.bins[0].found == pytest.approx(Y[CHANCE <= 0.5].mean())


def test_of_more_classes_it_is_the_predicted_one() -> None:
    y = np.array([0, 0, 1, 2])
    p = np.array([[0.6, 0.2, 0.2], [0.6, 0.2, 0.2], [0.6, 0.2, 0.2], [0.1, 0.1, 0.8]])
    found = calibration(y, p, ("a", "b", "c"))
    assert found is not None and found.of == "probability of the predicted class"
    assert [(one.rows, one.found) for one in found.bins] == [(3, pytest.approx(2 / 3)), (1, 1.0)]


def test_one_probability_for_all_is_one_bin_and_certainty_is_none() -> None:
    found = calibration(Y, two(np.full(len(Y), 0.5)), ("no", "yes"))
    assert found is not None and len(found.bins) == 1 and found.bins[0].rows == len(Y)
    assert calibration(Y, two(Y.astype(float)), ("no", "yes")) is None


def test_pairs_are_a_sample_of_rows() -> None:
    y = np.arange(5000.0)
    found = pairs(y, y + 1, 0)
    assert len(found.truth) == POINTS and pairs(y, y + 1, 0) == found != pairs(y, y + 1, 1)
    assert np.array_equal(np.subtract(found.predicted, found.truth), np.ones(POINTS))
    assert pairs(y[:3], y[:3], 0).truth == (0.0, 1.0, 2.0)
