"""What the columns of a table are: numbers, categories, dates, texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from automl.contracts import ColumnsSpec, ReadColumn, ReadSpec, UserError
from automl.data.dataset import Column
from automl.data.reading.alike import some
from automl.data.reading.composed import find_composed, told
from automl.data.reading.dates import ISO, Dates, as_dates, given_dates, has_hours
from automl.data.reading.grid import Grid, nearest_first
from automl.data.reading.marks import Marks, find_marks
from automl.data.reading.numbers import Numbers, as_numbers, other_texts, without
from automl.data.reading.typed import as_texts

ENOUGH = 20  # rows below which a pattern in a column may be chance
MOSTLY = 0.8  # a column with this share of numbers was probably meant as numbers
SAMPLE = 1000  # different texts of a column by which the marks in numbers are found
WORDS = 4  # a text of this many words on average is no category


@dataclass(frozen=True)
class Read:
    """One column: what it is, its values (n,) as numbers, times or texts, its note, how numbers are written.

    `marks`, `signs`, `units`: of numbers, see `ReadColumn`; `made`: of texts that are made of parts.
    """

    column: Column
    values: Any
    dates: Dates | None = None
    note: str = ""
    marks: Marks = field(default_factory=Marks)
    signs: tuple[str, ...] = (".", ",")
    units: tuple[str, ...] | None = None
    made: ReadColumn | None = None

    @property
    def as_read(self) -> ReadColumn:
        """How it is read again."""
        name, kind = self.column.name, self.column.kind
        if self.made is not None:
            return self.made
        if self.dates is not None:
            return ReadColumn(name, kind, format=self.dates.format, hours=has_hours(self.dates))
        signs = tuple(sign for sign in ".," if sign in (*self.signs, *self.marks.stated))
        return ReadColumn(name, kind, self.marks.decimal, self.marks.groups, signs=signs, units=self.units)


def read_columns(grid: Grid, read: ReadSpec, spec: ColumnsSpec) -> tuple[dict[str, Read], str]:
    """Every column of `grid` by its kind, and a note on the signs in numbers, where one is due.

    Raises `UserError` for a name in `spec` that there is none of.
    """
    given = dates_of(spec)
    for key, names in (
        ("drop", spec.drop),
        ("keep", spec.keep),
        ("categorical", spec.categorical),
        ("date", given),
    ):
        check_names(f"task.columns.{key}", names, list(grid.frame.columns))
    texts = {name: one for name, one in grid.frame.items() if name not in given and not _is_typed(one)}
    sample = [_first_different(values) for values in texts.values()]
    marks = find_marks(sample, read.decimal, read.thousands, grid.separator)
    found = {}
    for name, values in grid.frame.items():
        if name in spec.categorical or (name in grid.categories and name not in given):
            found[name] = _texts(name, as_texts(values), read.missing, stated=True)
        elif _is_typed(values):
            found[name] = _typed(name, values, read.missing)
        elif name in given:
            dates = given_dates(name, values, given[name])
            found[name] = _date(name, dates, tell=False)
        else:
            found[name] = _found_out(name, values, marks, read.missing)
    return found, marks.note


def _first_different(texts: Any) -> list[str]:
    """The first different ones of the Series `texts`, not all of very many."""
    found: dict[str, None] = {}
    for text in texts:
        found[text] = None
        if len(found) == SAMPLE:
            break
    return list(found)


def dates_of(spec: ColumnsSpec) -> dict[str, str | None]:
    """The columns of dates, each with its format where that is given."""
    return spec.date if isinstance(spec.date, dict) else dict.fromkeys(spec.date)


def check_names(key: str, wanted: Sequence[str] | dict[str, str | None], names: Sequence[str]) -> None:
    """Raise `UserError` unless all `wanted` are columns."""
    absent = [name for name in wanted if name not in names]
    if absent:
        raise UserError(
            f"{key} must name a column of the table, but there is no {absent[0]!r}; its columns, the most "
            f"similar first: {nearest_first(absent[0], names)}"
        )


def _found_out(name: str, texts: Any, marks: Marks, missing: Sequence[str] | None) -> Read:
    numbers, written = as_numbers(texts, marks, missing), marks
    if numbers is None and marks.decimal == ",":
        written = replace(marks, decimal=".", groups=("",))
        numbers = as_numbers(texts, written, missing)
    if numbers is not None:
        return _numbers(name, numbers, written)
    dates = as_dates(texts, missing)
    if dates is not None:
        return _date(name, dates, tell=True)
    share, wrong = other_texts(texts, marks, missing)
    read = _texts(name, texts, missing)
    if wrong and share >= MOSTLY:
        note = (
            f"{name!r} is read as categories, since {some(wrong)} are no numbers (but {share:.0%} of its "
            f"cells are); task.read.missing: [{wrong[0]!r}] makes such cells missing"
        )
        return replace(read, note=note)
    different = texts.drop_duplicates()
    codes = different.str.match(r"[+-]?0\d+$")
    if codes.any() and different[different != ""].str.match(r"[+-]?\d+$").all():
        code = different[codes].iloc[0]
        return replace(read, note=f"{name!r} is read as categories, since it has codes such as {code!r}")
    made = find_composed(name, texts.where(~texts.isin(missing or ()), ""))
    if made is None:
        return read
    return replace(read, column=Column(name, made.kind, read.column.missing), note=told(made), made=made)


def _numbers(name: str, numbers: Numbers, marks: Marks) -> Read:
    notes = []
    if numbers.missing:
        notes.append(f"{some(numbers.missing)} of the column of numbers {name!r} stand for no value")
    if numbers.units:
        notes.append(
            f"{name!r} is read as numbers, without units, brackets and blanks: {some(numbers.units)}"
        )
    elif numbers.grouped:
        notes.append(f"{name!r} is read as numbers, without marks between thousands: {some(numbers.grouped)}")
    values = numbers.values
    whole = numbers.whole and np.isfinite(values).all() and np.abs(values).max(initial=0) < 2**53
    column = Column(name, "number", _share(np.isnan(values)))
    values = values.astype(np.int64) if whole else values
    note = "; ".join(notes)
    return Read(column, values, None, note, marks, numbers.signs, numbers.beside)


def _is_typed(values: Any) -> bool:
    return values.dtype.kind in "iufM"


def _typed(name: str, values: Any, missing: Sequence[str] | None) -> Read:
    """A column of a file that says what it is."""
    if values.dtype.kind == "M":
        return _date(name, Dates(values, ISO), tell=True)
    numbers = np.asarray(values)
    kept = without(numbers, missing)
    signs = () if numbers.dtype.kind in "iu" else (".",)
    return Read(Column(name, "number", _share(np.isnan(kept))), kept, signs=signs)


def _date(name: str, dates: Dates, *, tell: bool) -> Read:
    note = ""
    if tell:
        note = (
            f"{name!r} is read as dates ({dates.format}): year, month, day, weekday and days since 1970 "
            "are its "
            "features"
        )
    if tell and dates.other:
        note += f"; {dates.other} fits as well, and task.columns.date: {{{name}: {dates.other!r}}} takes it"
    return Read(Column(name, "date", _share(dates.values.isna())), dates.values, dates, note)


def _texts(name: str, texts: Any, missing: Sequence[str] | None, *, stated: bool = False) -> Read:
    """Categories, which may be `stated`, or texts of words."""
    empty = texts.isin(["", *(missing or ())])
    filled = texts[~empty]
    kind: Literal["category", "text"] = "category"
    if not stated and len(filled) >= ENOUGH and filled.nunique() > len(filled) / 2:
        kind = "text" if (filled.head(1000).str.count(r"\s+") + 1).mean() >= WORDS else "category"
    return Read(Column(name, kind, _share(empty)), texts.where(~empty, None).astype(object))


def _share(missing: Any) -> float:
    return float(np.mean(np.asarray(missing, dtype=bool))) if len(missing) else 0.0
