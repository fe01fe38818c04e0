"""Arrays from .npz files: which is which by its name, and what makes a dataset of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from automl.contracts import ReadSpec, Split, UserError
from automl.data.dataset import Dataset, require_alike
from automl.data.reading.archives import is_long, read_headers, read_members
from automl.data.reading.classes import Part
from automl.data.reading.labels import Labels, decoded, one_a_row
from automl.data.reading.layouts import Layout, channels_first, layout_of
from automl.data.reading.roles import Role, named
from automl.data.reading.wording import shown

KEYS = ("layout",)  # of `task.read`


@dataclass(frozen=True)
class _Block:
    """The rows of one part, and what its array of inputs is called."""

    name: str
    x: np.ndarray
    y: Labels


def read_arrays(path: Path, read: ReadSpec) -> Dataset:
    """Arrays `x` and `y`, optionally `x_test` and `y_test`, of an .npz file; also by other common names.

    `x`: (n, features); or images (n, H, W), (n, C, H, W) or (n, H, W, C). Raises `UserError` for arrays that
    cannot be understood, or do not fit each other.
    """
    headers = read_headers(path)
    names, notes = named(path, list(headers))
    arrays = read_members(path, headers, names.values())
    long = [shown(name) for name in names.values() if is_long(headers[name].dtype)]
    notes += [f"{', '.join(long)}: longer than 64 bits, read as float64"] if long else []
    train = _block("train", names, arrays, path)
    notes += train.y.notes
    parts: dict[Part, _Block] = {}
    others: tuple[Part, ...] = ("validation", "test")
    for part in others:
        if Role(part, "x") in names:
            parts[part] = _block(part, names, arrays, path)
            _require_fit(train, parts[part], path)
            notes += parts[part].y.notes
    arrays.clear()
    x, y = train.x, train.y.values
    if "validation" in parts:
        other = parts["validation"]
        notes.append(
            f"the {len(other.x):,} rows of {other.name} are joined with the {len(x):,} of {train.name}: "
            "task.split.validation draws what selects"
        )
        x, y = np.concatenate([x, other.x]), np.concatenate([y, other.y.values])
    classes = train.y.one_hot if len(np.unique(y)) == train.y.one_hot else None
    return _dataset(_Block(train.name, x, Labels(y)), parts.get("test"), classes, read, path, notes)


def _block(part: Part, names: dict[Role, str], arrays: dict[str, np.ndarray], path: Path) -> _Block:
    name, label = names[Role(part, "x")], names[Role(part, "y")]
    x = arrays[name]
    y = one_a_row(arrays[label], f"{shown(label)} of {path.name}")
    what = f"{shown(name)} of {shown(path)}"
    if x.dtype.kind == "S":
        x = decoded(x, what)
    if x.dtype.kind not in "buifU" or (x.ndim > 2 and x.dtype.kind == "U"):
        raise UserError(
            f"x must be a numeric array (or a table of text), but {what} holds {x.dtype}; convert it, "
            "such as complex numbers to real and imaginary parts"
        )
    if x.ndim not in (2, 3, 4):
        raise UserError(
            f"x must have 2 dimensions (a table), 3 or 4 (images), but {what} has shape {x.shape}; reshape it"
        )
    if len(x) != len(y.values):
        last = x.shape[-1] == len(y.values)
        advice = f"put the rows first: np.moveaxis({name}, -1, 0)" if last else "correct the data"
        raise UserError(
            f"a dataset must have one target a row, but {what} has {len(x)} rows and targets of shape "
            f"{y.values.shape}; {advice}"
        )
    return _Block(name, x, y)


def _require_fit(train: _Block, other: _Block, path: Path) -> None:
    """Raise `UserError` unless the rows of `other` are of the kind of those of `train`."""
    where = f"{shown(train.name)} and {shown(other.name)} of {shown(path)}"
    require_alike(train.x, other.x, where)
    kinds = [block.y.values.dtype.kind == "U" for block in (train, other)]
    if kinds[0] != kinds[1] or train.y.one_hot != other.y.one_hot:
        raise UserError(
            f"targets of all parts must be of one kind, but those beside {where} are "
            f"{_kind(train.y)} and {_kind(other.y)}; write them alike"
        )


def _kind(y: Labels) -> str:
    return f"one-hot of {y.one_hot}" if y.one_hot else "text" if y.values.dtype.kind == "U" else "numbers"


def _dataset(
    train: _Block, test: _Block | None, classes: int | None, read: ReadSpec, path: Path, notes: list[str]
) -> Dataset:
    shape = train.x.shape
    if read.layout is not None and len(shape) != 4:
        raise UserError(
            f"task.read.layout must fit the data, but {shown(train.name)} of {shown(path)} has shape {shape} "
            "without channels; remove it"
        )
    if len(shape) == 2:
        notes += _flattened(train.name, shape)
        held = None if test is None else Split(_frame(test.x), test.y.values)
        return Dataset(_frame(train.x), train.y.values, "table", classes, held, notes=tuple(notes))
    layout: Layout = "channels_first"
    channels, height, width = 1, *shape[1:3]
    why = "since it has 3 dimensions"
    if len(shape) == 4:
        layout, why = layout_of(shape, read.layout, f"{shown(train.name)} of {shown(path)}")
        channels, height, width = shape[1:] if layout == "channels_first" else (shape[3], *shape[1:3])
    notes.append(
        f"{train.name} of shape {shape} is read as images of {height} × {width} pixels (height × width) with "
        f"{channels} channel{'s' * (channels != 1)}, {why}"
    )
    held = None if test is None else Split(channels_first(test.x, layout), test.y.values)
    x = channels_first(train.x, layout)
    return Dataset(x, train.y.values, "image", classes, held, notes=tuple(notes))


def _flattened(name: str, shape: tuple[int, ...]) -> list[str]:
    """A note where the columns of a table look like the pixels of an image."""
    for channels in (1, 3):
        side = math.isqrt(shape[1] // channels)
        if side >= 8 and channels * side * side == shape[1]:
            size = f"{side}, {side}" if channels == 1 else f"{channels}, {side}, {side}"
            return [
                f"{name} of shape {shape} is read as a table; if it holds images, reshape it to (n, {size})"
            ]
    return []


def _frame(x: np.ndarray) -> object:
    import pandas as pd  # pandas takes half a second to import

    return pd.DataFrame(x, columns=[f"x{column}" for column in range(x.shape[1])])
