"""The contract of datasets: a plug-in is a function without arguments that returns a `Dataset`.

It returns all rows, the same ones in the same order at each call, as they are before splitting and
standardising. Whatever it draws at random has a fixed seed. Every class must have a row for each part of a
split: three, or two where the dataset has an official test part, which has no further classes, and examples
of the same kind: columns, or shape and numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from automl.contracts import ReadColumn, Split, TableReading, UserError
from automl.data.pixels import pixel_notes

LARGEST = 1e30  # of a pixel


@dataclass(frozen=True)
class Column:
    """A column of a table as it was found. `missing`: share of its cells; `unused`: why it is no feature.

    `kind`: that of `ReadColumn`.
    """

    name: str
    kind: str
    missing: float = 0.0
    unused: str = ""


@dataclass(frozen=True)
class Dataset:
    """All rows of a dataset.

    - `x`, `y`: for images, (n, C, H, W) finite numbers and (n,); for tables, a DataFrame of n rows, without
      infinite numbers, and (n,); for functions, (n, points, d) and (n, points), all finite: each row is one.
    - `classes`: the number of classes when `y` holds each of 0 … classes-1, 0 for numeric targets, None to
      let the study's metrics decide.
    - `test`: the official test part, if there is one.
    - `parts` (classes,): for few-shot tasks, the official part of each class: 0 train, 1 validation, 2 test.
    - `notes`: what was found out, left out or converted, a sentence each; it is told.
    - `groups` (n,): rows of one value stay in one part of a split; `order` (n,): numbers by which a split in
      time sorts rows.
    - `weights` (n,): how much each row of a table counts in a fit, float64.
    - `columns`: of a table as they were found, before dates became numbers; `target`: the target's name.
    - `reading`: how the features were made of a table's cells; None: of columns that are as they are.
      `answer`, `weighed`: how the target and the weights were read. `group_names`: the texts of the column
      that `groups` are of.
    """

    x: Any
    y: np.ndarray
    kind: Literal["image", "table", "functions"]
    classes: int | None = None
    test: Split | None = None
    parts: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    groups: np.ndarray | None = None
    order: np.ndarray | None = None
    weights: np.ndarray | None = None
    columns: tuple[Column, ...] = ()
    target: str = ""
    reading: TableReading | None = None
    answer: ReadColumn | None = None
    weighed: ReadColumn | None = None
    group_names: tuple[str, ...] = ()


def check_dataset(dataset: object, name: str) -> Dataset:
    """`dataset`, with notes of what is odd. Raises `UserError` when it breaks a rule, naming it."""
    if not isinstance(dataset, Dataset):
        raise UserError(
            f"a dataset function must return automl.data.Dataset, but {name!r} returned "
            f"{type(dataset).__name__}; wrap it: Dataset(x, y, kind='table')"
        )
    parts = [("all", dataset.x, dataset.y)]
    if dataset.test is not None:
        parts.append(("test", dataset.test.x, dataset.test.y))
    for part, x, y in parts:
        where = f"{name!r} ({part} rows)"
        if dataset.kind == "functions":
            _check_functions(x, y, where)
            continue
        if np.ndim(y) != 1 or len(x) != len(y):
            raise UserError(
                f"a dataset must have one target a row, but {where} has {len(x)} rows and targets of "
                f"shape {np.shape(y)}; correct the data"
            )
        if len(y) == 0:
            raise UserError(f"a dataset must have rows, but {where} has none; check the file")
        if dataset.kind == "image":
            _check_images(x, where)
        else:
            _check_table(x, where)
    if dataset.test is not None and dataset.kind != "functions":
        require_alike(dataset.x, dataset.test.x, f"the rows and the test rows of {name!r}")
    _check_weights(dataset, name)
    if dataset.kind == "image":
        held = None if dataset.test is None else dataset.test.x
        return replace(dataset, notes=(*dataset.notes, *pixel_notes(dataset.x, held)))
    return dataset


def _check_weights(dataset: Dataset, name: str) -> None:
    parts = [("all", dataset.y, dataset.weights)]
    if dataset.test is not None:
        parts.append(("test", dataset.test.y, dataset.test.weights))
    for part, y, weights in parts:
        if weights is None:
            continue
        if dataset.kind != "table" or np.shape(weights) != (len(y),):
            raise UserError(
                f"weights must be one number for each row of a table, but {name!r} ({part} rows) is of "
                f"kind {dataset.kind} with {len(y)} rows and weights of shape {np.shape(weights)}; correct it"
            )
        if not (np.isfinite(weights) & (weights >= 0)).all() or not weights.any():
            raise UserError(
                f"weights must be finite and at least 0, and not all 0, but those of {name!r} ({part} rows) "
                f"range from {weights.min():g} to {weights.max():g}; correct the data"
            )


def check_test_classes(dataset: Dataset, name: str) -> None:
    """Raise `UserError` when the test part has a class that no other row has: it cannot be learnt."""
    if dataset.test is None:
        return
    learnt, tested = (
        set(np.unique(y if y.dtype.kind in "buif" else y.astype(str)).tolist())
        for y in (np.asarray(dataset.y), np.asarray(dataset.test.y))
    )
    strange = sorted(map(str, tested - learnt))
    if strange:
        raise UserError(
            f"each class of the test part must have rows to learn from, but those of {name!r} lack "
            f"{', '.join(strange[:5])}{' …' if len(strange) > 5 else ''} (of {len(tested)} classes tested, "
            f"{len(learnt)} learnt); correct the labels or remove those rows"
        )


def require_alike(x: Any, other: Any, where: str) -> None:
    """Raise `UserError` unless `other` has examples of the kind of those in `x`; `where` names both."""
    if not isinstance(x, np.ndarray):
        _require_same_columns(x, other, where)
        return
    if np.shape(x)[1:] != np.shape(other)[1:]:
        raise UserError(
            f"all parts must have one shape but for the first number, but {where} have {np.shape(x)} and "
            f"{np.shape(other)}; correct one of them"
        )
    if (x.dtype.kind == "U") != (other.dtype.kind == "U"):
        raise UserError(
            f"all parts must hold numbers, or text, but {where} hold {x.dtype} and {other.dtype}; convert one"
        )
    if x.ndim > 2 and (x.dtype.kind == "f") != (other.dtype.kind == "f") and x.size and other.size:
        found = [f"{part.dtype} from {part.min():g} to {part.max():g}" for part in (x, other)]
        raise UserError(
            f"pixels of all parts must be whole numbers, or real ones, but {where} are {found[0]} and "
            f"{found[1]}; convert one of them"
        )


def _require_same_columns(x: Any, other: Any, where: str) -> None:
    import pandas as pd  # pandas takes half a second to import

    if list(x.columns) != list(other.columns):
        odd = [str(name) for name in set(x.columns) ^ set(other.columns)] or ["their order"]
        raise UserError(
            f"all parts must have the same columns, but {where} differ in {', '.join(sorted(odd)[:5])} "
            f"({x.shape[1]} and {other.shape[1]} columns); correct one of them"
        )
    numeric = pd.api.types.is_numeric_dtype
    odd = [
        str(name)
        for name in x.columns
        if numeric(x[name]) != numeric(other[name]) and x[name].notna().any() and other[name].notna().any()
    ]
    if odd:
        raise UserError(
            f"a column must hold numbers in all parts or in none, but {where} differ in "
            f"{', '.join(odd[:5])}; correct one of them"
        )


def _check_functions(x: Any, y: Any, where: str) -> None:
    if np.ndim(x) != 3 or np.shape(y) != np.shape(x)[:2] or len(y) == 0:
        raise UserError(
            f"functions must be x of shape (n, points, d) with y of shape (n, points), but {where} has "
            f"{np.shape(x)} and {np.shape(y)}; reshape them"
        )
    if not np.isfinite(x).all() or not np.isfinite(y).all():
        raise UserError(f"points must be finite, but {where} has nan or infinite ones; correct the data")


def _check_images(x: Any, where: str) -> None:
    if not isinstance(x, np.ndarray) or x.ndim != 4 or x.dtype.kind not in "buif":
        what = f"{type(x).__name__} {getattr(x, 'dtype', '')} of shape {np.shape(x)}"
        raise UserError(
            f"images must be a numeric array of shape (n, channels, height, width), but {where} is {what}; "
            "reshape it"
        )
    if x.size == 0:
        raise UserError(f"images must have pixels, but {where} are of shape {x.shape}; check the file")
    low, high = float(x.min()), float(x.max())
    if not np.isfinite([low, high]).all():
        raise UserError(f"pixels must be finite, but {where} has nan or infinite ones; correct the data")
    largest = max(abs(low), abs(high))
    if largest and not 1 / LARGEST < largest < LARGEST:
        raise UserError(
            f"the largest pixel must lie between {1 / LARGEST:g} and {LARGEST:g}, to be computed with in 32 "
            f"bits, but {where} range from {low:g} to {high:g}; scale them or correct the data"
        )


def _check_table(x: Any, where: str) -> None:
    import pandas as pd  # pandas takes half a second to import

    if not isinstance(x, pd.DataFrame) or x.shape[1] == 0:
        raise UserError(
            f"a table must be a DataFrame with columns, but {where} is {type(x).__name__} of shape "
            f"{np.shape(x)}; add feature columns beside the target"
        )
    numbers = x.select_dtypes("number")
    infinite = [str(name) for name in numbers if np.isinf(numbers[name].to_numpy(float, na_value=0)).any()]
    if infinite:
        raise UserError(
            f"numbers of a table must be finite or missing, but {where} has infinite ones in "
            f"{', '.join(infinite)}; leave those cells empty"
        )
