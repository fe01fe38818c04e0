"""The contract of datasets: a plug-in is a function without arguments that returns a `Dataset`.

It returns all rows, the same ones in the same order at each call, as they are before splitting and
standardising. Whatever it draws at random has a fixed seed. Every class must have a row for each part of a
split: three, or two where the dataset has an official test part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from automl.contracts import Split, UserError


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


def check_dataset(dataset: object, name: str) -> Dataset:
    """`dataset` itself. Raises `UserError` when it breaks a rule, naming it."""
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
    return dataset


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
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        raise UserError(f"pixels must be finite, but {where} has nan or infinite ones; correct the data")


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
