"""Targets from arrays: one number or text a row, also from columns, one-hot rows and bytes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from automl.contracts import UserError


@dataclass(frozen=True)
class Labels:
    """`values` (n,): numbers, truth values or text; `one_hot`: the columns they came from, or 0."""

    values: np.ndarray
    notes: tuple[str, ...] = ()
    one_hot: int = 0


def one_a_row(y: np.ndarray, what: str) -> Labels:
    """The targets `y`, called `what`. Raises `UserError` unless there is one number or text a row."""
    notes: tuple[str, ...] = ()
    if y.dtype.kind == "S":
        y, notes = decoded(y, what), (f"{what} holds bytes: read as text in UTF-8",)
    if y.dtype.kind not in "buifU":
        raise UserError(
            f"targets must be numbers or text, but {what} holds {y.dtype}; convert them, such as dates to a "
            "number of days"
        )
    if y.ndim == 0:
        raise UserError(f"targets must be one a row, but {what} is a single value; save them as shape (n,)")
    if y.ndim > 1 and y.size == len(y):
        return Labels(y.reshape(-1), (*notes, f"{what} of shape {y.shape} is read as one target a row"))
    if _one_hot(y):
        note = f"{what} of shape {y.shape} is one-hot: read as the classes 0 … {y.shape[1] - 1}"
        return Labels(y.argmax(axis=1), (note,), y.shape[1])
    if y.ndim > 1:
        raise UserError(
            f"targets must be one a row, but {what} has shape {y.shape} and is not one-hot: several "
            "numbers or classes a row cannot be learnt; save one column of it, of shape (n,)"
        )
    return Labels(y, notes)


def decoded(array: np.ndarray, what: str) -> np.ndarray:
    """Text from bytes. Raises `UserError` when they are none in UTF-8."""
    try:
        return np.char.decode(array, "utf-8")
    except UnicodeDecodeError as error:
        raise UserError(
            f"text must be UTF-8, but {what} is not: {error}; decode and save it again"
        ) from error


def _one_hot(y: np.ndarray) -> bool:
    """Whether every row of `y` (n, k) has a single 1 among zeros."""
    if y.ndim != 2 or y.dtype.kind == "U" or y.shape[0] == 0 or y.shape[1] < 2:
        return False
    return bool(((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all())
