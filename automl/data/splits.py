"""Disjoint, seeded parts of a dataset: training, validation and test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from automl.contracts import UserError


@dataclass(frozen=True)
class Indices:
    """Sorted row numbers of each part. `test` is empty when the dataset has an official test part."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def split_rows(y: np.ndarray, classes: int, validation: float, test: float, seed: int) -> Indices:
    """Split `len(y)` rows by the fractions `validation` and `test`; classes keep their shares.

    `y`: (n,), labels when `classes` > 0. Every class has at least one row in each part that is
    not empty. Raises `UserError` when there are too few rows for that.
    """
    if not (0 < validation < 1 and 0 <= test < 1 and validation + test < 1):
        raise UserError(
            "0 < validation, 0 <= test and validation + test < 1 must hold, but got "
            f"(validation={validation}, test={test}); correct task.split"
        )
    fractions = (validation, test) if test else (validation,)
    rng = np.random.default_rng(seed)
    groups = [np.flatnonzero(y == label) for label in range(classes)] if classes else [np.arange(len(y))]
    parts: list[list[np.ndarray]] = [[], [], []]
    for label, rows in enumerate(groups):
        if len(rows) == 0:
            continue
        sizes = [max(1, round(len(rows) * fraction)) for fraction in fractions]
        if len(rows) <= sum(sizes):
            what = f"class {label} has {len(rows)}" if classes else f"there are {len(rows)}"
            raise UserError(
                f"every part of the split must get a row of each class, but {what} rows for "
                f"{len(sizes) + 1} parts; add rows, merge rare classes, make the "
                "parts smaller, or (for numbers) use a regression metric"
            )
        shuffled = rng.permutation(rows)
        ends = np.cumsum(sizes)
        parts[1].append(shuffled[: ends[0]])
        parts[2].append(shuffled[ends[0] : ends[-1]])
        parts[0].append(shuffled[ends[-1] :])
    train, valid, held = (np.sort(np.concatenate(part)) for part in parts)
    return Indices(train, valid, held)
