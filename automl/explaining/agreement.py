"""How predictions agree with the truth: probabilities with shares, numbers with numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from automl.tables.intervals import wilson

BINS: Final = 10
POINTS: Final = 1000  # that are drawn


@dataclass(frozen=True)
class Bin:
    """Rows of like probability. `predicted`: its mean; `found`: the share of rows, with its interval."""

    rows: int
    predicted: float
    found: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Calibration:
    """Whether probabilities are shares. `error`: the mean distance of both over all rows, 0 at best."""

    of: str
    bins: tuple[Bin, ...]
    error: float


@dataclass(frozen=True)
class Pairs:
    """Numbers against their predictions, of a sample of the rows: (m,) each."""

    truth: tuple[float, ...]
    predicted: tuple[float, ...]


def calibration(y: np.ndarray, p: np.ndarray, labels: Sequence[str]) -> Calibration | None:
    """Of class probabilities `p` (n, classes) and labels `y` (n,), in bins of about as many rows each.

    Of two classes the probability of the second, of more that of the predicted one. The error is the expected
    calibration error (Naeini et al., AAAI 2015). None where all probabilities are 0 or 1.
    """
    if len(labels) == 2:
        name, chance, right = f"probability of {labels[1]}", p[:, 1], y == 1
    else:
        name, chance, right = "probability of the predicted class", p.max(axis=1), p.argmax(axis=1) == y
    if np.isin(chance, (0.0, 1.0)).all():
        return None
    places = _places(chance)
    bins = [_bin(chance[places == place], right[places == place]) for place in np.unique(places)]
    error = sum(one.rows * abs(one.predicted - one.found) for one in bins) / len(y)
    return Calibration(name, tuple(bins), error)


def pairs(y: np.ndarray, predicted: np.ndarray, seed: int) -> Pairs:
    """At most `POINTS` rows of targets `y` (n,) and predictions (n,)."""
    rows = np.sort(np.random.default_rng(seed).permutation(len(y))[:POINTS])
    return Pairs(tuple(y[rows].tolist()), tuple(predicted[rows].tolist()))


def _places(chance: np.ndarray) -> np.ndarray:
    """The number of each one's bin, (n,): by value where there are few, else by quantiles."""
    values, places = np.unique(chance, return_inverse=True)
    if len(values) <= BINS:
        return np.asarray(places)
    edges = np.unique(np.quantile(chance, np.linspace(0, 1, BINS + 1)))
    return np.clip(np.searchsorted(edges, chance, side="left") - 1, 0, None)


def _bin(chance: np.ndarray, right: np.ndarray) -> Bin:
    share = float(right.mean())
    return Bin(len(right), float(chance.mean()), share, wilson(share, len(right)))
