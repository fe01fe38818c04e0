"""Meta-features of data, and the distance by them: simple, statistical and landmarking ones.

As in Feurer et al. (Initializing Bayesian Hyperparameter Optimization via Meta-Learning, AAAI 2015), each
is scaled to [0, 1], and the distance is the mean absolute difference. They are of training rows alone, at
most ROWS of them, and cost well under a second.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from automl.contracts import Json, Split, Task

ROWS: Final = 1000  # that are looked at, evenly spaced
COLUMNS: Final = 256  # of them, evenly spaced
KIND: Final = "kind"  # of data and target; those of another kind are never similar
# by name: the value that becomes 1; logarithms of counts
_SCALES: Final = {"rows": 7.0, "features": 5.0, "classes": 3.0}
_NEIGHBOURS: Final = 200  # rows whose nearest neighbour is looked for


def meta_features(task: Task) -> Json:
    """Plain JSON: the `kind`, and numbers from 0 to 1 by name."""
    features = int(np.prod(task.shape)) if task.shape else 1
    counts = {"rows": len(task.train), "features": features}
    target = "classes" if task.classes else "numbers"
    if task.episodes is not None:
        return {KIND: f"{task.kind}, few-shot, {target}", **_logarithms(counts)}
    if task.classes:
        counts["classes"] = task.classes
    if task.kind == "functions":
        return {KIND: f"{task.kind}, {target}", **_logarithms(counts)}
    x, described = _matrix(task.train)
    places = _spread(len(task.train), ROWS)
    y = task.train.y[places]
    found = {**_logarithms(counts), **described}
    found |= _of_classes(x, y) if task.classes else _of_numbers(x, y.astype(float))
    rounded = {name: round(float(np.clip(value, 0, 1)), 4) for name, value in found.items()}
    return {KIND: f"{task.kind}, {target}", **rounded}


def distance(a: Mapping[str, object], b: Mapping[str, object]) -> float | None:
    """From 0 to 1, which also stands for nothing known of both; None when the kinds differ."""
    if a.get(KIND) != b.get(KIND):
        return None
    gaps = []
    for name, value in a.items():
        other = b.get(name)
        if name != KIND and isinstance(value, int | float) and isinstance(other, int | float):
            gaps.append(abs(value - other))
    return sum(gaps) / len(gaps) if gaps else 1.0


def _logarithms(counts: Mapping[str, int]) -> dict[str, float]:
    return {
        name: round(min(math.log10(max(count, 1)) / _SCALES[name], 1.0), 4) for name, count in counts.items()
    }


def _spread(count: int, most: int) -> np.ndarray:
    """At most `most` places among `count`, evenly spaced: (n,) whole numbers."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(int))


def _matrix(split: Split) -> tuple[np.ndarray, dict[str, float]]:
    """Some rows and columns as standardised numbers (n, d), and what the columns are like."""
    rows = _spread(len(split), ROWS)
    if isinstance(split.x, np.ndarray):
        flat = split.x[rows].reshape(len(rows), -1)
        numbers = flat[:, _spread(flat.shape[1], COLUMNS)].astype(float)
        described = {}
    else:
        table = split.x.iloc[rows, _spread(split.x.shape[1], COLUMNS)]
        numeric = [table.dtypes.iloc[place].kind in "buif" for place in range(table.shape[1])]
        described = {"categorical": 1 - float(np.mean(numeric)), "missing": float(table.isna().mean().mean())}
        columns = [
            table.iloc[:, place].to_numpy(float, na_value=math.nan)
            if is_number
            else table.iloc[:, place].astype("category").cat.codes.to_numpy(float)
            for place, is_number in enumerate(numeric)
        ]
        numbers = np.stack(columns, axis=1)
    present = np.isfinite(numbers)
    means = np.where(present, numbers, 0).sum(0) / np.maximum(present.sum(0), 1)
    centred = np.where(present, numbers - means, 0)
    return centred / np.maximum(centred.std(0), 1e-12), described


def _of_classes(x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Balance of the classes, and two landmarks: accuracies of the nearest centroid and the nearest row."""
    labels, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
    shares = counts / counts.sum()
    entropy = float(-(shares * np.log(shares)).sum() / max(math.log(len(labels)), 1e-12))
    fit, held = np.arange(len(x)) % 2 == 0, np.arange(len(x)) % 2 == 1
    known = [code for code in range(len(labels)) if (codes[fit] == code).any()]
    centroids = np.stack([x[fit][codes[fit] == code].mean(0) for code in known])
    nearest = np.asarray(known)[_distances(x[held], centroids).argmin(1)] if held.any() else codes[held]
    return {
        "majority": float(shares.max()),
        "entropy": entropy,
        "centroid": float((nearest == codes[held]).mean()) if held.any() else 0.0,
        "neighbour": _neighbour(x, codes, lambda found, true: float((found == true).mean())),
    }


def _of_numbers(x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Two landmarks: R² of a linear model and of the nearest row, 0 where they are worse than the mean."""
    fit, held = np.arange(len(x)) % 2 == 0, np.arange(len(x)) % 2 == 1
    if held.sum() < 2:
        return {"linear": 0.0, "neighbour": 0.0}
    ones = np.ones((len(x), 1))
    wide = np.hstack([x, ones])
    ridge = wide[fit].T @ wide[fit] + np.eye(wide.shape[1])
    predicted = wide[held] @ np.linalg.solve(ridge, wide[fit].T @ y[fit])
    return {"linear": _r2(predicted, y[held]), "neighbour": _neighbour(x, y, _r2)}


def _r2(predicted: np.ndarray, y: np.ndarray) -> float:
    spread = float(((y - y.mean()) ** 2).sum())
    return 1 - float(((y - predicted) ** 2).sum()) / spread if spread > 0 else 0.0


def _neighbour(x: np.ndarray, y: np.ndarray, score: Callable[[np.ndarray, np.ndarray], float]) -> float:
    """`score` of predicting some rows by the nearest other one."""
    if len(x) < 2:
        return 0.0
    asked = _spread(len(x), _NEIGHBOURS)
    gaps = _distances(x[asked], x)
    gaps[np.arange(len(asked)), asked] = np.inf
    return score(y[gaps.argmin(1)], y[asked])


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances: (n, d), (m, d) -> (n, m)."""
    squares: np.ndarray = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    return squares
