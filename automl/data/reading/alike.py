"""Whether new cells are written as those that a model was made from: what may mean two things is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from automl.contracts import ReadColumn, UserError
from automl.data.reading.dates import Dates, other_order
from automl.data.reading.marks import Marks, doubtful, unit_of
from automl.data.reading.numbers import Numbers

FEW = 3  # examples in a note


def check_marks(column: ReadColumn, texts: Any, marks: Marks) -> None:
    """Raise `UserError` for a number of the Series `texts` whose mark may be a decimal sign or not."""
    text = doubtful(texts, marks, column.signs)
    if text is not None:
        had = f"had the decimal sign {column.decimal!r}" if column.decimal in column.signs else "was whole"
        raise UserError(
            f"numbers must be written as when the model was made, but {column.name!r} {had} there and row "
            f"{row_of(texts, text)} has {text!r}, which may be {_both(text)}; write the column without marks "
            f"between thousands, and its decimals after {column.decimal!r}"
        )


def check_units(column: ReadColumn, texts: Any, numbers: Numbers) -> list[str]:
    """Notes of units that numbers no longer have. Raises `UserError` for units that they did not have."""
    if column.units is None:
        return []
    strange = next((text for text in numbers.units if unit_of(text) not in column.units), None)
    if strange is not None:
        usual = " or ".join(repr(unit) if unit else "none" for unit in column.units) or "none"
        raise UserError(
            f"numbers must have the units of those that the model was made from, but {column.name!r} had "
            f"{usual} there and row {row_of(texts, strange)} has {strange!r}; convert the column"
        )
    if numbers.bare and "" not in column.units and column.units:
        units = " or ".join(repr(unit) for unit in column.units)
        return [
            f"{column.name!r} had {units} beside its numbers when the model was made; taken as the same unit"
        ]
    return []


def order_notes(column: ReadColumn, texts: Any, dates: Dates) -> list[str]:
    """A note where every date of the Series `texts` could have day and month the other way round."""
    other = other_order(texts, dates.format)
    if other is None:
        return []
    return [f"every date of {column.name!r} fits {other} as well; read as {dates.format}, as before"]


def category_notes(column: ReadColumn, texts: Sequence[str | None]) -> list[str]:
    """A note on categories that the model does not know, with examples. `texts`: None for missing ones."""
    if column.known is None:
        return []
    different = [text for text in dict.fromkeys(texts) if text is not None]
    known = set(column.known) if len(different) > FEW else column.known
    strange = [text for text in different if text not in known]
    if not strange:
        return []
    if len(strange) == len(different) and len(column.known) <= FEW:
        which = f"knows {', '.join(map(repr, column.known))} alone; all cells are others"
    else:
        which = "does not know them; they count as none"
    return [f"{column.name!r} has new categories, and the model {which}, such as {some(strange)}"]


def row_of(texts: Any, text: str) -> int:
    """The number, from 1, of the row of the Series `texts` that has `text`; parts of a file count on."""
    return row_at(texts.index, int(np.flatnonzero((texts == text).to_numpy())[0]))


def row_at(index: Any, place: int) -> int:
    """The number, from 1, of the row at a place of a table; of a part of a file that in the file."""
    import pandas as pd  # pandas takes half a second to import

    return int(index[place]) + 1 if isinstance(index, pd.RangeIndex) else place + 1


def _both(text: str) -> str:
    bare = text.strip("()+-% ")
    return f"{bare.replace(',', '').replace('.', '')} or {bare.replace(',', '.')}"


def some(texts: Sequence[str]) -> str:
    """The first few of `texts`, in quotes."""
    shown = ", ".join(repr(text[:40]) for text in texts[:FEW])
    return f"{shown} …" if len(texts) > FEW else shown
