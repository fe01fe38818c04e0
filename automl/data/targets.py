"""Targets as evaluators need them: int64 class labels, or float64 numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from automl import metrics
from automl.contracts import UserError

# without a metric that tells, whole numbers with at most this many values are classes
FEW_VALUES = 20
MOST_CLASSES = 1 / 3  # numbers with more different values than this share of the rows are no classes


def encode(
    y: Any, classes: int | None, names: Sequence[str], dataset: str
) -> tuple[np.ndarray, tuple[str, ...]]:
    """`y`, (n,), as int64 labels 0 … classes-1 or float64 numbers, and the classes' names (none for numbers).

    `classes` None lets the metrics `names` decide. Raises `UserError` for missing targets, a
    single class, or metrics that do not suit the targets.
    """
    import pandas as pd  # pandas takes half a second to import

    values = pd.Series(y)
    missing = int(values.isna().sum())
    if missing:
        raise UserError(
            f"every row must have a target, but {missing} of {len(values)} rows of {dataset!r} have none; "
            "remove those rows"
        )
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise UserError(f"targets must be finite, but {dataset!r} has infinite ones; remove those rows")
    labels = tuple(map(str, range(classes or 0)))
    if classes is None:
        labels, values = _classes(values, names, dataset)
    metrics.check(names, len(labels))
    if not labels:
        return np.asarray(values, dtype=np.float64), ()
    return _checked(values, len(labels), dataset), labels


def _checked(values: Any, classes: int, dataset: str) -> np.ndarray:
    labels = np.asarray(values, dtype=np.int64)
    present = len(np.unique(labels))
    if present < 2:
        raise UserError(
            f"classification needs at least two classes, but {dataset!r} has {present}; check its target"
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise UserError(
            f"labels must lie in 0 … {classes - 1}, but {dataset!r} has {labels.min()} … {labels.max()}; "
            "correct `classes`"
        )
    return labels


def _classes(values: Any, names: Sequence[str], dataset: str) -> tuple[tuple[str, ...], Any]:
    """The classes' names (none for numbers) and the encoded values."""
    import pandas as pd  # pandas takes half a second to import

    numeric = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    whole = numeric and bool((values == np.floor(values)).all())
    if numeric and not _wants_classes(values, whole, names):
        return (), values
    if numeric and not whole:
        raise UserError(
            f"{', '.join(names)} needs classes, but the target of {dataset!r} holds numbers that are "
            f"not whole, such as {values[values != np.floor(values)].iloc[0]}; "
            f"use {', '.join(metrics.REGRESSION)}"
        )
    codes, labels = pd.factorize(values if numeric else values.astype(str), sort=True)
    if numeric and len(labels) > max(FEW_VALUES, len(values) * MOST_CLASSES):
        raise UserError(
            f"{', '.join(names)} needs classes, but the target of {dataset!r} has {len(labels)} different "
            "numbers "
            f"in {len(values)} rows, such as {labels[0]} and {labels[-1]}; use "
            f"{', '.join(metrics.REGRESSION)}"
        )
    return tuple(map(str, labels)), pd.Series(codes)


def _wants_classes(values: Any, whole: bool, names: Sequence[str]) -> bool:
    if any(name in metrics.CLASSIFICATION for name in names):
        return True
    if any(name in metrics.REGRESSION for name in names):
        return False
    return whole and values.nunique() <= FEW_VALUES
