"""Tables from files: the target, the features, and the rows' groups, order and weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from automl.contracts import ReadColumn, ReadSpec, TableReading, TaskSpec, UserError
from automl.data.dataset import Column, Dataset
from automl.data.reading.cells import all_cells
from automl.data.reading.columns import ENOUGH, Read, check_names, read_columns
from automl.data.reading.dates import elapsed
from automl.data.reading.features import features
from automl.data.reading.grid import Grid, nearest_first
from automl.data.reading.typed import as_texts

TARGETS = ("target", "label", "class", "y")  # names that need no task.target


def table_of(grid: Grid, file: str, task: TaskSpec) -> Dataset:
    """A table with its target, of cells of a `file`. What was found out is in its notes. Raises `UserError`.

    Empty cells are missing. Numbers are float64, or int64 where all are whole; dates become numbers;
    categories are texts.
    """
    names = list(grid.frame.columns)
    if len(names) < 2:
        raise UserError(
            f"a table must have features and a target, but {file} has one column, {names[0][:80]!r}; check "
            "its separator (task.read.separator)"
        )
    notes = list(grid.notes)
    target, guess = find_target(task.target, names, file)
    notes += guess
    read, signs = read_columns(grid, task.read, task.columns)
    notes += [signs] if signs else []
    groups, order = _groups(read, task, names), _order(read, task, names)
    weights = _weights(read, task, names, target)
    answer = read[target].as_read if read[target].column.kind == "number" else ReadColumn(target, "category")
    y, told = _target(read.pop(target))
    beside = _beside(task, read)
    kept = {name: one for name, one in read.items() if name not in beside}
    frame, columns, left = features(kept, task.columns, grid.unnamed)
    if frame.shape[1] == 0:
        raise UserError(f"a table must have features, but none of {file} is left: {'; '.join(left)}")
    _check_leaks(frame, kept, columns, y, target, task.columns.keep)
    left += _copies(frame, y)
    used = [column for column in columns if not column.unused]
    columns += [replace(read[name].column, unused=key) for name, key in beside.items()]
    return Dataset(
        frame,
        y,
        "table",
        notes=(*notes, *told, *left),
        groups=groups,
        order=order,
        weights=weights,
        columns=tuple(columns),
        target=target,
        reading=TableReading(tuple(kept[one.name].as_read for one in used), target, _missing(task)),
        answer=answer,
        weighed=read[task.weights].as_read if task.weights else None,
        group_names=() if groups is None else tuple(group_texts(grid, str(task.split.group)).unique()),
    )


def _copies(frame: Any, y: np.ndarray) -> list[str]:
    count = int(frame.assign(**{"\0target": y}).duplicated().sum())
    return [f"{count} of {len(y)} rows are copies of earlier ones"] if count else []


def _missing(task: TaskSpec) -> tuple[str, ...] | None:
    return None if task.read.missing is None else tuple(task.read.missing)


def group_texts(grid: Grid, name: str) -> Any:
    """The column `name` of a file, by which rows belong together, as a Series of texts."""
    return as_texts(grid.frame[name])


def table_columns(path: Path) -> list[str]:
    """The names of a table's columns. Raises `UserError`."""
    return [str(name) for name in all_cells(path, ReadSpec()).frame.columns]


def find_target(wanted: str | None, names: list[str], file: str) -> tuple[str, list[str]]:
    """The column to predict, and a note where it was not named. Raises `UserError` when it is not clear."""
    if wanted is not None:
        check_names("task.target", [wanted], names)
        return wanted, []
    usual = [name for name in names if name.strip().lower() in TARGETS]
    if len(usual) != 1:
        found = (
            f"has the columns {', '.join(usual)}" if usual else f"has no column called {', '.join(TARGETS)}"
        )
        raise UserError(
            f"the column to predict must be named, but {file} {found}; write task.target: NAME with one of "
            f"{nearest_first('target', names)}"
        )
    return usual[0], [f"the target is {usual[0]!r}, by its name"]


def _target(read: Read) -> tuple[np.ndarray, list[str]]:
    """The target (n,): numbers or texts; and what was done to it."""
    if read.dates is not None:
        raise UserError(
            f"a target must be numbers or classes, but {read.column.name!r} holds dates; name another "
            "column, or "
            f"set task.columns.categorical: [{read.column.name}]"
        )
    values = np.asarray(read.values)
    notes = [read.note] if read.note and read.made is None else []
    if values.dtype.kind == "O":
        texts = {str(text) for text in values if text is not None}
        alike = sorted(
            text for text in texts if text.casefold() in {other.casefold() for other in texts - {text}}
        )
        if alike:
            notes.append(
                f"the classes {', '.join(map(repr, alike[:6]))} differ in upper and lower case alone"
            )
    return values, notes


def _groups(read: dict[str, Read], task: TaskSpec, names: list[str]) -> np.ndarray | None:
    import pandas as pd  # pandas takes half a second to import

    name = task.split.group
    if name is None:
        return None
    check_names("task.split.group", [name], names)
    if read[name].column.missing:
        raise UserError(
            f"every row must have a group, but {read[name].column.missing:.1%} of {name!r} are empty; fill "
            "them"
        )
    codes: np.ndarray = pd.factorize(np.asarray(read[name].values))[0]
    return codes


def _order(read: dict[str, Read], task: TaskSpec, names: list[str]) -> np.ndarray | None:
    name = task.split.time
    if name is None:
        return None
    check_names("task.split.time", [name], names)
    one = read[name]
    if one.column.kind not in ("number", "date") or one.column.missing:
        what = f"is {one.column.kind}" if one.column.kind not in ("number", "date") else "has empty cells"
        raise UserError(
            f"task.split.time must name a column of numbers or dates in every row, but {name!r} {what}; "
            "correct "
            "it, or name its format in task.columns.date"
        )
    return np.asarray(one.values, np.float64) if one.dates is None else elapsed(one.dates)


def _weights(read: dict[str, Read], task: TaskSpec, names: list[str], target: str) -> np.ndarray | None:
    name = task.weights
    if name is None:
        return None
    check_names("task.weights", [name], names)
    if name == target:
        raise UserError(f"weights must be another column than the target, but both are {name!r}; name one")
    if read[name].column.kind != "number":
        raise UserError(
            f"weights must be numbers, but {name!r} (task.weights) is {read[name].column.kind}; name a "
            "column of numbers"
        )
    weights = checked_weights(np.asarray(read[name].values, np.float64), name)
    if not weights.any():
        raise UserError(
            f"some rows must count, but all weights {name!r} (task.weights) are zero; correct them"
        )
    return weights


def checked_weights(weights: np.ndarray, name: str) -> np.ndarray:
    """`weights` (n,) of the column `name`. Raises `UserError` unless all are there, finite and at least 0."""
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(wrong):
        value = "empty" if np.isnan(weights[wrong[0]]) else f"{weights[wrong[0]]:g}"
        raise UserError(
            f"every row must have a weight of at least 0, but {name!r} (task.weights) is {value} in row "
            f"{wrong[0] + 1}, and {len(wrong)} of {len(weights)} rows are wrong; correct them"
        )
    return weights


def _beside(task: TaskSpec, read: dict[str, Read]) -> dict[str, str]:
    """The columns that are there for something else than to predict by, and the keys that say so."""
    named = {
        "task.split.group": task.split.group,
        "task.split.time": task.split.time,
        "task.weights": task.weights,
    }
    return {name: key for key, name in named.items() if name is not None and name in read}


def _check_leaks(
    frame: Any, read: dict[str, Read], columns: list[Column], y: np.ndarray, target: str, keep: list[str]
) -> None:
    """Raise `UserError` for columns that say the target one to one."""
    import pandas as pd  # pandas takes half a second to import

    if len(y) < ENOUGH:
        return
    codes = pd.factorize(y)[0]
    count = codes.max() + 1
    leaks = []
    for column in columns:
        if column.unused or column.name in keep or column.kind == "date":
            continue
        values = np.asarray(read[column.name].values)
        other = pd.factorize(values)[0]
        same = values.dtype.kind in "if" and y.dtype.kind in "if" and np.array_equal(values, y)
        alike = other.min() >= 0 and other.max() + 1 == count and 2 <= count <= len(y) / 2
        if same or (alike and len(np.unique(codes * count + other)) == count):
            leaks.append(column.name)
    if leaks:
        raise UserError(
            f"a feature must not be the target under another name, but {', '.join(map(repr, leaks))} "
            f"{'has' if len(leaks) == 1 else 'have'} one value for each value of {target!r}; write "
            f"task.columns.drop: [{', '.join(leaks)}], or keep: [{', '.join(leaks)}] if it is known "
            "beforehand"
        )
