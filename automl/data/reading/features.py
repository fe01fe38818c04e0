"""Which columns of a table are features, and what is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from automl.contracts import ColumnsSpec
from automl.data.dataset import Column
from automl.data.reading.columns import ENOUGH, Read
from automl.data.reading.composed import check_apart, made_of
from automl.data.reading.dates import has_hours, parts

ID_NAMES = {
    "id",
    "index",
    "idx",
    "row",
    "rownum",
    "row_number",
    "row_id",
    "rowid",
    "uuid",
    "guid",
    "key",
    "nr",
}


def features(
    read: dict[str, Read], spec: ColumnsSpec, unnamed: Sequence[str]
) -> tuple[Any, list[Column], list[str]]:
    """The features as a DataFrame, all columns with what is not used, and notes of what was left out."""
    import pandas as pd  # pandas takes half a second to import

    data: dict[str, Any] = {}
    columns, notes = [], []
    for name, one in read.items():
        why = "" if name in spec.keep else _unused(name, one, name in spec.drop, name in unnamed)
        columns.append(replace(one.column, unused=why))
        if why and name not in spec.drop:
            notes.append(f"{name!r} is left out: {why}; task.columns.keep: [{name}] keeps it")
        if why:
            continue
        notes += [one.note] if one.note else []
        if one.column.kind == "text" and one.made is None:
            notes.append(
                f"{name!r} is read as text, and what its words say is a feature; task.columns.categorical: "
                f"[{name}] takes it as categories, and drop leaves it out"
            )
        made = _made(name, one)
        check_apart(name, made, data)
        data |= made
    return pd.DataFrame(data), columns, notes


def _made(name: str, one: Read) -> dict[str, Any]:
    if one.made is not None:
        return made_of(one.made, one.values)
    return {name: one.values} if one.dates is None else parts(name, one.dates, hours=has_hours(one.dates))


def _unused(name: str, one: Read, dropped: bool, unnamed: bool) -> str:
    """Why a column is no feature; "" when it is one."""
    if dropped:
        return "task.columns.drop names it"
    if one.column.missing == 1:
        return "it is empty"
    values = one.values
    import pandas as pd  # pandas takes half a second to import

    different = pd.Series(values).nunique(dropna=False)
    if different == 1:
        return "it has one value alone"
    if len(values) < ENOUGH or different < len(values):
        return ""
    if one.column.kind == "number" and values.dtype.kind == "i":
        steps = np.diff(values)
        if np.abs(steps).max() == 1 and np.abs(steps.sum()) == len(steps):
            return "it counts the rows"
        if unnamed or name.strip().lower() in ID_NAMES or name.lower().endswith(("_id", "uuid")):
            return "it names the rows"
    return "it names the rows (every cell differs)" if one.column.kind == "category" else ""
