"""The rows of a table as text, with the names of its columns; a row that does not fit is refused."""

from __future__ import annotations

import csv
import difflib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from automl.contracts import ReadSpec, UserError
from automl.data.reading.dialect import NAMES, Layout, check_separator, find_layout

_NUMBER = re.compile(r"\s*[-+]?[$€£]?\d[\d.,' ]*(e[-+]?\d+)?\s*%?\s*$", re.IGNORECASE)


@dataclass(frozen=True)
class Grid:
    """`frame`: a DataFrame of texts without blanks around them; "" is an empty cell."""

    frame: Any
    separator: str
    unnamed: tuple[str, ...]
    notes: tuple[str, ...]


def read_grid(text: str, read: ReadSpec, usual: str, name: str) -> Grid:
    """The cells of the table `text`. `usual`: the separator that the file's name promises."""
    import pandas as pd  # pandas takes half a second to import

    check_separator(read)
    lines = text.split("\n")
    layout = find_layout(lines, read, usual)
    rows, notes = _rows(lines, layout, name)
    if layout.found:
        notes.append(f"fields are separated by {NAMES.get(layout.separator, repr(layout.separator))}")
    if layout.start:
        notes.append(f"the first {layout.start} lines are above the table and left out")
    header = _has_header(rows) if read.header is None else read.header
    names = [field.strip() for field in rows[0]] if header else [f"x{n}" for n in range(1, len(rows[0]) + 1)]
    if not header:
        notes.append(
            f"the file has no header (its first row holds numbers), so the columns are called {names[0]} … "
            f"{names[-1]}; task.read.header: true takes the first row as names"
        )
    body = rows[1:] if header else rows
    repeated = [row for row in body if header and row == rows[0]]
    if repeated:
        body = [row for row in body if row != rows[0]]
        notes.append(f"{len(repeated)} rows repeat the header and are left out")
    names, unnamed = _named(names, name)
    if not body:
        raise UserError(f"a table must have rows below its header, but {name} has none; check the file")
    columns = {}
    for place, column in enumerate(names):
        cells = [row[place] for row in body]
        columns[column] = [cell.strip() for cell in cells]
        if len(set(columns[column])) < len(set(cells)):
            notes.append(
                f"blanks around the cells of {column!r} are left out: with them, like cells would differ"
            )
    return Grid(pd.DataFrame(columns, dtype="object"), layout.separator, unnamed, tuple(notes))


def _rows(lines: Sequence[str], layout: Layout, name: str) -> tuple[list[list[str]], list[str]]:
    """All rows, of one width; an empty last field of every row but the header is left out."""
    try:
        rows = list(layout.fields(lines[layout.start :]))
    except csv.Error as error:
        raise UserError(
            f"a table must be well quoted, but {name}: {error}; correct it or set task.read.quote"
        ) from error
    if not rows:
        raise UserError(f"a table must have rows, but {name} has none; check the file")
    width, notes = len(rows[0]), []
    longer = [row for row in rows[1:] if len(row) == width + 1]
    if longer and len(longer) == len(rows) - 1 and not any(row[-1].strip() for row in longer):
        rows = [rows[0], *(row[:-1] for row in longer)]
        notes.append("every row ends in a separator that the header lacks; the empty last field is left out")
    elif width > 1 and all(len(row) == width and not row[-1].strip() for row in rows):
        rows = [row[:-1] for row in rows]
        notes.append("every row ends in a separator; the empty last field is left out")
    _check_widths(rows, layout, name)
    return rows, notes


def _check_widths(rows: list[list[str]], layout: Layout, name: str) -> None:
    width = len(rows[0])
    wrong = [number for number, row in enumerate(rows) if len(row) != width]
    if not wrong:
        return
    first = rows[wrong[0]]
    mark = NAMES.get(layout.separator, repr(layout.separator))
    unclosed = any("\n" in field for field in first)
    advice = "close its quotes" if unclosed else "correct those rows, or set task.read.separator"
    raise UserError(
        f"every row must have as many fields as the first one ({width}, separated by {mark}), but row "
        f"{wrong[0] + 1} of {name} has {len(first)}"
        + (f", and {len(wrong) - 1} more differ" if len(wrong) > 1 else "")
        + f"; {advice}"
    )


def _has_header(rows: list[list[str]]) -> bool:
    """Whether the first row holds names: no cell of it is a number above numbers alone."""
    body = rows[1:]
    if not body:
        return True
    numeric = [
        place
        for place in range(len(rows[0]))
        if all(_NUMBER.match(row[place]) for row in body[:100] if row[place].strip())
        and any(row[place].strip() for row in body[:100])
    ]
    return not numeric or not all(_NUMBER.match(rows[0][place]) for place in numeric)


def _named(names: list[str], name: str) -> tuple[list[str], tuple[str, ...]]:
    """Names for columns without one, and which these are. Raises `UserError` for a name given twice."""
    twice = sorted(column for column, count in Counter(names).items() if count > 1 and column)
    if twice:
        raise UserError(
            f"every column must have a name of its own, but {name} has {', '.join(map(repr, twice))} more "
            "than once; rename or remove one in the file"
        )
    unnamed = [place for place, column in enumerate(names) if not column]
    filled = [column or f"column_{place + 1}" for place, column in enumerate(names)]
    return filled, tuple(filled[place] for place in unnamed)


def nearest_first(wanted: str, names: Sequence[str], shown: int = 30) -> str:
    """The `names` in a list, those like `wanted` first."""
    lower = wanted.casefold()
    ranked = sorted(names, key=lambda name: -difflib.SequenceMatcher(None, lower, name.casefold()).ratio())
    rest = f" and {len(ranked) - shown} more" if len(ranked) > shown else ""
    return ", ".join(ranked[:shown]) + rest
