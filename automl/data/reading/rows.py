"""Rows that come after a model was made, read as those that it was made from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.contracts import ReadColumn, TableReading, UserError
from automl.data.reading.dates import Dates, given_dates, parts
from automl.data.reading.grid import nearest_first
from automl.data.reading.numbers import Marks, as_numbers, other_texts, stands_for_none

if TYPE_CHECKING:
    from automl.data.dataset import Dataset


def reading_of(dataset: Dataset) -> TableReading | None:
    """How the rows of a table are read; None of other data. Columns of a DataFrame are as they are."""
    if dataset.kind != "table" or dataset.reading is not None:
        return dataset.reading
    import pandas as pd  # pandas takes half a second to import

    numeric = pd.api.types.is_numeric_dtype
    kinds = {str(name): "number" if numeric(column) else "category" for name, column in dataset.x.items()}
    return TableReading(tuple(ReadColumn(name, kind) for name, kind in kinds.items()), dataset.target)


def features_of(reading: TableReading, table: Any) -> tuple[Any, list[str]]:
    """The features (n, …) of the rows of the DataFrame `table`, and notes of what was left out.

    Its cells may be texts, as in a file, or numbers, times and texts. Columns may come in any order. Raises
    `UserError` for a column that is missing, and for a cell that is not of its column's kind.
    """
    import pandas as pd  # pandas takes half a second to import

    names = [str(name) for name in table.columns]
    wanted = [column.name for column in reading.columns]
    absent = [name for name in wanted if name not in names]
    if absent:
        raise UserError(
            f"rows must have the columns that the model was made from, but {_listed(absent)} "
            f"{'is' if len(absent) == 1 else 'are'} missing; there are: {nearest_first(absent[0], names)}"
        )
    twice = sorted({name for name in wanted if names.count(name) > 1})
    if twice:
        raise UserError(f"every column must be there once, but {_listed(twice)} is there more often")
    data: dict[str, Any] = {}
    for column in reading.columns:
        data |= _read(column, table[_label(table, column.name)], reading.missing)
    frame = pd.DataFrame(data, index=table.index)
    others = [name for name in names if name not in wanted and name != reading.target]
    notes = [f"columns that the model does not know are left out: {_listed(others)}"] if others else []
    return frame, notes


def _label(table: Any, name: str) -> Any:
    return next(label for label in table.columns if str(label) == name)


def _read(column: ReadColumn, cells: Any, missing: tuple[str, ...] | None) -> dict[str, Any]:
    if column.kind == "number":
        return {column.name: _numbers(column, cells, missing)}
    if column.kind == "date":
        return parts(column.name, _dates(column, cells, missing), hours=column.hours)
    return {column.name: _categories(cells, missing)}


def _numbers(column: ReadColumn, cells: Any, missing: tuple[str, ...] | None) -> np.ndarray:
    import pandas as pd  # pandas takes half a second to import

    if pd.api.types.is_numeric_dtype(cells):
        values = cells.to_numpy(np.float64, na_value=np.nan)
    else:
        values = _written(column, _texts(cells), missing)
    if np.isinf(values).any():
        raise UserError(
            f"numbers must be finite or missing, but {column.name!r} has an infinite one in row "
            f"{int(np.flatnonzero(np.isinf(values))[0]) + 1}; leave that cell empty"
        )
    return np.asarray(values, np.float64)


def _written(column: ReadColumn, texts: Any, missing: tuple[str, ...] | None) -> np.ndarray:
    """Numbers that are written as `texts`; `as_numbers` knows none where all are missing."""
    marks = Marks(column.decimal, column.groups)
    if texts.map(lambda text: text == "" or stands_for_none(text, missing)).all():
        return np.full(len(texts), np.nan)
    found = as_numbers(texts, marks, missing)
    if found is None:
        raise _wrong(column.name, "numbers", texts, other_texts(texts, marks, missing)[1])
    return found.values


def _dates(column: ReadColumn, cells: Any, missing: tuple[str, ...] | None) -> Dates:
    import pandas as pd  # pandas takes half a second to import

    if pd.api.types.is_datetime64_any_dtype(cells):
        times = cells.dt.tz_convert("UTC").dt.tz_localize(None) if cells.dt.tz is not None else cells
        return Dates(times, column.format)
    texts = _texts(cells)
    texts = texts.where(~texts.isin(missing or ()), "")
    try:
        return given_dates(column.name, texts, column.format)
    except UserError:
        wrong = [text for text in texts.unique() if text and not _is_date(text, column.format)]
        raise _wrong(column.name, f"dates like {column.format}", texts, wrong) from None


def _is_date(text: str, form: str) -> bool:
    import pandas as pd  # pandas takes half a second to import

    try:
        given_dates("", pd.Series([text]), form)
    except UserError:
        return False
    return True


def _categories(cells: Any, missing: tuple[str, ...] | None) -> Any:
    texts = _texts(cells)
    return texts.where(~texts.isin(["", *(missing or ())]), None).astype(object)


def _texts(cells: Any) -> Any:
    """Cells as a file has them: a missing one is empty, a whole number has no point."""
    import pandas as pd  # pandas takes half a second to import

    def written(cell: Any) -> str:
        if pd.isna(cell):
            return ""
        whole = isinstance(cell, float | np.floating) and float(cell).is_integer()
        return str(int(cell)) if whole else str(cell).strip()

    return cells.astype(object).map(written)


def _wrong(name: str, kind: str, texts: Any, wrong: Sequence[str]) -> UserError:
    row = int(np.flatnonzero((texts == wrong[0]).to_numpy())[0]) + 1 if wrong else 1
    shown = f"{wrong[0]!r:.60}" if wrong else "something else"
    return UserError(
        f"the column {name!r} must hold {kind}, as when the model was made, but row {row} has {shown}; "
        "correct that cell, or leave it empty"
    )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name[:60]) for name in names[:10])
    return f"{shown} and {len(names) - 10} more" if len(names) > 10 else shown
