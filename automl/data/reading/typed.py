"""Columns with types as numbers, times or texts: the three kinds of cells that a table is read from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, time, timedelta
from numbers import Number
from typing import Any

import numpy as np

from automl.data.reading.grid import Grid, named

NESTED = (list, tuple, set, dict, bytes, bytearray, memoryview, np.ndarray)


def typed_grid(frame: Any, first: int, name: str) -> Grid:
    """The cells of the DataFrame `frame`, rows `first` … of the file `name`.

    Columns are numbers or times where the file says so, else texts as in a text file: truth values are `True`
    and `False`, missing ones "". Columns of lists, mappings and bytes are left out. Raises `UserError` for a
    name that two columns have.
    """
    import pandas as pd  # pandas takes half a second to import

    names, unnamed = named(["" if label is None else str(label).strip() for label in frame.columns], name)
    frame = frame.set_axis(names, axis=1).set_axis(pd.RangeIndex(first, first + len(frame)), axis=0)
    nested = [name for name in names if _holds(frame[name], lambda cell: isinstance(cell, NESTED), any)]
    notes = [f"{name!r} is left out: it holds lists or bytes, and these are no features" for name in nested]
    data = {name: plain(frame[name]) for name in names if name not in nested}
    stated = [name for name in data if isinstance(frame[name].dtype, pd.CategoricalDtype)]
    return Grid(pd.DataFrame(data, index=frame.index), "", unnamed, tuple(notes), tuple(stated))


def plain(column: Any) -> Any:
    """A Series as numbers (float64 or integers), times without a zone (in UTC), or texts."""
    import pandas as pd  # pandas takes half a second to import

    types = pd.api.types
    if types.is_bool_dtype(column) or isinstance(column.dtype, pd.CategoricalDtype):
        return as_texts(column)
    if types.is_numeric_dtype(column):
        whole = types.is_integer_dtype(column) and column.notna().all()
        return column.astype(np.int64 if whole and column.max() < 2**63 else np.float64)
    if types.is_datetime64_any_dtype(column):
        return without_zone(column)
    if types.is_timedelta64_dtype(column):
        return column / np.timedelta64(1, "D")
    if _holds(column, is_number, all):
        numbers = column.astype(object).where(column.notna(), np.nan).astype(np.float64)
        whole = _holds(column, lambda cell: isinstance(cell, int | np.integer), all)
        return numbers.astype(np.int64) if whole and column.notna().all() else numbers
    if _holds(column, lambda cell: isinstance(cell, date), all):
        return without_zone(pd.to_datetime(column.astype(object), utc=True))
    if _holds(column, lambda cell: isinstance(cell, timedelta), all):
        return pd.to_timedelta(column) / np.timedelta64(1, "D")
    return as_texts(column)


def without_zone(times: Any) -> Any:
    """A Series of times, in UTC and without a zone."""
    return times.dt.tz_convert("UTC").dt.tz_localize(None) if times.dt.tz is not None else times


def is_number(cell: object) -> bool:
    """Whether a cell of a column of objects is a number; truth values are none."""
    return isinstance(cell, Number) and not isinstance(cell, bool | np.bool_)


def are_times(column: Any) -> bool:
    """Whether a Series of objects holds dates or times alone."""
    return _holds(column, lambda cell: isinstance(cell, date), all)


def as_texts(column: Any) -> Any:
    """A Series of cells as a file has them: a missing one is empty, a whole number has no point."""
    import pandas as pd  # pandas takes half a second to import

    return pd.Series(texts_of(column), index=column.index, name=column.name, dtype=object)


def texts_of(column: Any) -> list[str]:
    """The same as a list."""
    import pandas as pd  # pandas takes half a second to import

    def written(cell: Any) -> str:
        if isinstance(cell, (str, *NESTED)):
            return str(cell).strip()
        if pd.isna(cell):
            return ""
        if isinstance(cell, date | time):
            return cell.isoformat()
        whole = isinstance(cell, float | np.floating) and float(cell).is_integer()
        return str(int(cell)) if whole else str(cell).strip()

    return [written(cell) for cell in column.astype(object).tolist()]


def _holds(column: Any, test: Callable[[Any], bool], how: Callable[[Iterator[bool]], bool]) -> bool:
    """Whether `all` or `any` filled cells of a column of objects pass a test; False of an empty one."""
    import pandas as pd  # pandas takes half a second to import

    if not pd.api.types.is_object_dtype(column):
        return False
    filled = [cell for cell in column if isinstance(cell, NESTED) or not pd.isna(cell)]
    return bool(filled) and how(test(cell) for cell in filled)


def frame_of(rows: Any) -> Any:
    """A table of another library, such as polars, as a DataFrame of pandas. Raises errors for no table."""
    import pandas as pd  # pandas takes half a second to import

    if isinstance(rows, pd.DataFrame):
        return rows
    if isinstance(rows, Mapping | Sequence | np.ndarray):
        return pd.DataFrame(rows)
    return pd.DataFrame({name: pd.Series(rows[name].to_list(), dtype=object) for name in rows.columns})
