"""Rows that come after a model was made, read as those that it was made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from automl.contracts import ReadColumn, TableReading, UserError
from automl.data.reading.alike import (
    category_notes,
    check_marks,
    check_units,
    order_notes,
    row_at,
    row_of,
    some,
)
from automl.data.reading.composed import KINDS, made_names, made_of, other_parts
from automl.data.reading.dates import Dates, given_dates, part_names, parts
from automl.data.reading.grid import nearest_first
from automl.data.reading.marks import Marks
from automl.data.reading.numbers import as_numbers, other_texts, stands_for_none, without
from automl.data.reading.typed import are_times, as_texts, frame_of, is_number, texts_of, without_zone

if TYPE_CHECKING:
    from automl.data.dataset import Dataset

MOST: Final = 1000  # categories of a column that are remembered


def reading_of(dataset: Dataset, train: Any) -> TableReading | None:
    """How the rows of a table are read; None of other data. `train`: the DataFrame of its training rows.

    Columns of a table that comes from no file are as they are.
    """
    if dataset.kind != "table":
        return None
    import pandas as pd  # pandas takes half a second to import

    reading = dataset.reading
    if reading is None:
        numeric = pd.api.types.is_numeric_dtype
        kinds = {str(name): "number" if numeric(one) else "category" for name, one in dataset.x.items()}
        reading = TableReading(tuple(ReadColumn(name, kind) for name, kind in kinds.items()), dataset.target)
    texts = {str(name): one for name, one in train.items() if not pd.api.types.is_numeric_dtype(one)}
    columns = [
        replace(one, known=_known(texts[one.name])) if one.kind == "category" and one.name in texts else one
        for one in reading.columns
    ]
    return replace(reading, columns=tuple(columns))


def _known(column: Any) -> tuple[str, ...] | None:
    """The different texts of a column; None of very many."""
    texts = column[column.notna()].astype(str).unique()
    return tuple(sorted(texts)) if len(texts) <= MOST else None


def features_of(reading: TableReading, table: Any) -> tuple[Any, list[str]]:
    """The features (n, …) of the rows of `table` as a DataFrame, and notes; see `feature_columns`."""
    import pandas as pd  # pandas takes half a second to import

    found, notes = feature_columns(reading, table)
    index, texts = frame_of(table).index, {one.name for one in reading.columns if one.kind not in KINDS}
    data = {
        name: pd.Series(values, index=index, dtype=object)
        if name in texts and values.dtype == object
        else values
        for name, values in found.items()
    }
    return pd.DataFrame(data, index=index), notes


def feature_columns(reading: TableReading, table: Any) -> tuple[dict[str, np.ndarray], list[str]]:
    """The features of the rows of `table` by name, (n,) each, and notes of what was left out.

    It is a DataFrame of pandas or polars, whose cells may be texts, as in a file, or numbers, times and
    texts. Columns may come in any order. Raises `UserError` for a column that is missing, and for a cell that
    is not of its column's kind.
    """
    try:
        table = frame_of(table)
    except (AttributeError, TypeError, ValueError) as error:
        raise UserError(
            f"rows must be a DataFrame of pandas or polars, but got {type(table).__name__}; convert them"
        ) from error
    names = [str(name) for name in table.columns]
    labels = dict(zip(names, table.columns, strict=True))
    wanted = [column.name for column in reading.columns]
    absent = [name for name in wanted if name not in labels]
    if absent:
        raise UserError(
            f"rows must have the columns that the model was made from, but {_listed(absent)} "
            f"{'is' if len(absent) == 1 else 'are'} missing; there are: {nearest_first(absent[0], names)}"
        )
    twice = sorted({name for name, count in Counter(names).items() if count > 1} & set(wanted))
    if twice:
        raise UserError(f"every column must be there once, but {_listed(twice)} is there more often")
    data: dict[str, np.ndarray] = {}
    told: list[str] = []
    for column in reading.columns:
        values, notes = read_column(column, table[labels[column.name]], reading.missing)
        data |= values
        told += notes
    known = {*wanted, reading.target}
    others = [name for name in names if name not in known]
    notes = [f"columns that the model does not know are left out: {_listed(others)}"] if others else []
    return data, [*notes, *told]


def feature_names(column: ReadColumn) -> tuple[str, ...]:
    """The names of the features that are made of a column."""
    if column.kind == "date":
        return part_names(column.name, hours=column.hours)
    return made_names(column) if column.kind in KINDS else (column.name,)


def read_column(
    column: ReadColumn, cells: Any, missing: tuple[str, ...] | None
) -> tuple[dict[str, Any], list[str]]:
    """The features (n,) of the Series `cells`, and notes; see `features_of`."""
    if column.kind == "number":
        values, notes = _numbers(column, cells, missing)
        return {column.name: values}, notes
    if column.kind == "date":
        dates, notes = _dates(column, cells, missing)
        return parts(column.name, dates, hours=column.hours), notes
    if column.kind in KINDS:
        return _made(column, _filled(cells, missing))
    texts = _categories(column, cells, missing)
    return {column.name: np.array(texts, object)}, category_notes(column, texts)


def _made(column: ReadColumn, texts: Any) -> tuple[dict[str, Any], list[str]]:
    other = other_parts(column, texts)
    if other and column.kind == "time":
        raise _wrong(column.name, "times of day such as 13:45", texts, other)
    lacks = "has items that the model does not know" if column.kind == "list" else "has no addresses of pages"
    notes = [f"{column.name!r} {lacks}; they count as none, such as {some(other)}"] if other else []
    return made_of(column, texts), notes


def _numbers(column: ReadColumn, cells: Any, missing: tuple[str, ...] | None) -> tuple[np.ndarray, list[str]]:
    import pandas as pd  # pandas takes half a second to import

    notes: list[str] = []
    if pd.api.types.is_numeric_dtype(cells):
        values = cells.to_numpy(np.float64, na_value=np.nan)
    else:
        typed = np.array([is_number(cell) for cell in cells.tolist()], bool)
        values = cells.where(typed, np.nan).to_numpy(np.float64, na_value=np.nan)
        if not typed.all():
            texts, notes = _written(column, as_texts(cells.where(~typed, "")), missing)
            values = np.where(typed, values, texts)
    values = without(np.asarray(values, np.float64), missing)
    infinite = np.flatnonzero(np.isinf(values))
    if len(infinite):
        raise UserError(
            f"numbers must be finite or missing, but {column.name!r} has an infinite one in row "
            f"{row_at(cells.index, int(infinite[0]))}; leave that cell empty"
        )
    return values, notes


def _written(column: ReadColumn, texts: Any, missing: tuple[str, ...] | None) -> tuple[np.ndarray, list[str]]:
    """Numbers that are written as `texts`; `as_numbers` knows none where all are missing."""
    marks = Marks(column.decimal, column.groups)
    found = as_numbers(texts, marks, missing)
    if found is None:
        wrong = other_texts(texts, marks, missing)[1]
        if wrong or not all(text == "" or stands_for_none(text, missing) for text in dict.fromkeys(texts)):
            raise _wrong(column.name, "numbers", texts, wrong)
        return np.full(len(texts), np.nan), []
    check_marks(column, texts, marks)
    return found.values, check_units(column, texts, found)


def _dates(column: ReadColumn, cells: Any, missing: tuple[str, ...] | None) -> tuple[Dates, list[str]]:
    import pandas as pd  # pandas takes half a second to import

    if not pd.api.types.is_datetime64_any_dtype(cells) and are_times(cells):
        cells = pd.to_datetime(cells)
    if pd.api.types.is_datetime64_any_dtype(cells):
        return Dates(without_zone(cells), column.format), []
    texts = _filled(cells, missing)
    try:
        found = given_dates(column.name, texts, column.format)
    except UserError:
        wrong = [text for text in texts.unique() if text and not _is_date(text, column.format)]
        raise _wrong(column.name, f"dates like {column.format}", texts, wrong) from None
    return found, order_notes(column, texts, found)


def _is_date(text: str, form: str) -> bool:
    import pandas as pd  # pandas takes half a second to import

    try:
        given_dates("", pd.Series([text]), form)
    except UserError:
        return False
    return True


def _categories(column: ReadColumn, cells: Any, missing: tuple[str, ...] | None) -> list[str | None]:
    import pandas as pd  # pandas takes half a second to import

    texts = texts_of(cells)
    if column.known is not None and len(cells) and not isinstance(cells.iloc[0], str):
        truth = pd.api.types.is_bool_dtype(cells)
        written = {known.casefold() if truth else known.removesuffix(".0"): known for known in column.known}
        texts = [written.get(text.casefold() if truth else text, text) for text in texts]
    gone = {"", *(missing or ())}
    return [None if text in gone else text for text in texts]


def _filled(cells: Any, missing: tuple[str, ...] | None) -> Any:
    """A Series of the cells as texts, "" for missing ones."""
    texts = as_texts(cells)
    return texts.where(~texts.isin(missing), "") if missing else texts


def _wrong(name: str, kind: str, texts: Any, wrong: Sequence[str]) -> UserError:
    row = row_of(texts, wrong[0]) if wrong else row_at(texts.index, 0)
    shown = f"{wrong[0]!r:.60}" if wrong else "something else"
    return UserError(
        f"the column {name!r} must hold {kind}, as when the model was made, but row {row} has {shown}; "
        "correct that cell, or leave it empty"
    )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name[:60]) for name in names[:10])
    return f"{shown} and {len(names) - 10} more" if len(names) > 10 else shown
