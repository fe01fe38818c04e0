"""The rows of a table as text, with the names of its columns; a row that does not fit is refused."""

from __future__ import annotations

import csv
import difflib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from automl.contracts import ReadSpec, UserError
from automl.data.reading.dialect import NAMES, Layout, check_separator, find_layout

_NUMBER = re.compile(r"\s*[-+]?[$€£]?\d[\d.,' ]*(e[-+]?\d+)?\s*%?\s*$", re.IGNORECASE)
COUNTED = 3  # numbers that count up from 0 in the first row: so many are names
_HEAD = 1000  # lines that say how a table is laid out
_NEAR = 256  # rows whose cells the cache of a core holds


@dataclass(frozen=True)
class Grid:
    """`frame`: a DataFrame of texts without blanks around them; "" is an empty cell.

    Of files with types it has numbers and times, too. `separator`: "" of such files; `categories`: columns
    that they say are such.
    """

    frame: Any
    separator: str
    unnamed: tuple[str, ...]
    notes: tuple[str, ...]
    categories: tuple[str, ...] = ()


def read_grid(text: str, read: ReadSpec, usual: str, name: str) -> Grid:
    """The cells of the table `text`. `usual`: the separator that the file's name promises."""
    check_separator(read)
    lines = text.split("\n")
    layout = find_layout(lines, read, usual)
    rows, notes = _even(list(_fields(layout, lines[layout.start :], name)), layout, name)
    return _grid(rows, layout, _has_header(rows) if read.header is None else read.header, name, notes)


def read_grids(lines: Iterator[str], read: ReadSpec, usual: str, name: str, size: int) -> Iterator[Grid]:
    """The cells of a table by its `lines`, `size` rows at a time: the first ones say how it is laid out.

    The indices of their frames count on.
    """
    check_separator(read)
    head = list(islice(lines, _HEAD))
    layout = find_layout(head, read, usual)
    fields = _fields(layout, chain(head[layout.start :], lines), name)
    rows, header, names, first = list(islice(fields, size)), read.header, list[list[str]](), 0
    while rows:
        even, notes = _even([*names, *rows], layout, name, first)
        header = _has_header(even) if header is None else header
        grid = _grid(even, layout, header, name, notes, first)
        yield grid
        names = names or (rows[:1] if header else [])
        first += len(grid.frame)
        rows = list(islice(fields, size))


def _fields(layout: Layout, lines: Iterable[str], name: str) -> Iterator[list[str]]:
    found = False
    try:
        for row in layout.fields(lines):
            found = True
            yield row
    except csv.Error as error:
        raise UserError(
            f"a table must be well quoted, but {name}: {error}; correct it or set task.read.quote"
        ) from error
    if not found:
        raise UserError(f"a table must have rows, but {name} has none; check the file")


def _grid(
    rows: list[list[str]], layout: Layout, header: bool, name: str, notes: list[str], first: int = 0
) -> Grid:
    """The cells of `rows`, which are emptied; the first of them is above the rest if it is a `header`."""
    import pandas as pd  # pandas takes half a second to import

    if layout.found:
        notes.append(f"fields are separated by {NAMES.get(layout.separator, repr(layout.separator))}")
    if layout.start:
        notes.append(f"the first {layout.start} lines are above the table and left out")
    names = [field.strip() for field in rows[0]] if header else [f"x{n}" for n in range(1, len(rows[0]) + 1)]
    if not header:
        notes.append(
            f"the file has no header (its first row holds numbers), so the columns are called {names[0]} … "
            f"{names[-1]}; task.read.header: true takes the first row as names"
        )
    elif _counts(rows[0]):
        notes.append(
            "the first row counts 0, 1, 2 …, so it is taken as names; task.read.header: false takes it as "
            "values"
        )
    body = rows
    above = body.pop(0) if header else []
    repeated = [row for row in body if row == above]
    if repeated:
        body = [row for row in body if row != above]
        notes.append(f"{len(repeated)} rows repeat the header and are left out")
    names, unnamed = named(names, name)
    if not body:
        raise UserError(f"a table must have rows below its header, but {name} has none; check the file")
    count, columns = len(body), {}
    for column, cells in zip(names, _turned(body), strict=True):
        columns[column] = list(map(str.strip, cells))
        if columns[column] != cells and len(set(columns[column])) < len(set(cells)):
            notes.append(
                f"blanks around the cells of {column!r} are left out: with them, like cells would differ"
            )
    frame = pd.DataFrame(columns, dtype="object", index=pd.RangeIndex(first, first + count))
    return Grid(frame, layout.separator, unnamed, tuple(notes))


def _turned(rows: list[list[str]]) -> Iterator[list[str]]:
    """The columns of `rows`, which are of one width, have no NUL, and are emptied.

    Very many cells are slow to visit by column: they lie in memory by row. So they are copied to lie by
    column, some rows at a time.
    """
    blocks: list[list[str]] = []
    for first in range(0, len(rows), _NEAR):
        part = rows[first : first + _NEAR]
        blocks.append(["\0".join(cells) for cells in zip(*part, strict=True)])
    rows.clear()
    for column in zip(*blocks, strict=True):
        yield "\0".join(column).split("\0")


def _even(
    rows: list[list[str]], layout: Layout, name: str, first: int = 0
) -> tuple[list[list[str]], list[str]]:
    """All rows, of one width; an empty last field of every row but the header is left out."""
    width, notes = len(rows[0]), []
    longer = [row for row in rows[1:] if len(row) == width + 1]
    if longer and len(longer) == len(rows) - 1 and not any(row[-1].strip() for row in longer):
        rows = [rows[0], *(row[:-1] for row in longer)]
        notes.append("every row ends in a separator that the header lacks; the empty last field is left out")
    elif width > 1 and all(len(row) == width and not row[-1].strip() for row in rows):
        rows = [row[:-1] for row in rows]
        notes.append("every row ends in a separator; the empty last field is left out")
    _check_widths(rows, layout, name, first)
    return rows, notes


def _check_widths(rows: list[list[str]], layout: Layout, name: str, first: int) -> None:
    width = len(rows[0])
    wrong = [number for number, row in enumerate(rows) if len(row) != width]
    if not wrong:
        return
    odd = rows[wrong[0]]
    mark = NAMES.get(layout.separator, repr(layout.separator))
    unclosed = any("\n" in field for field in odd)
    advice = "close its quotes" if unclosed else "correct those rows, or set task.read.separator"
    raise UserError(
        f"every row must have as many fields as the first one ({width}, separated by {mark}), but row "
        f"{first + wrong[0] + 1} of {name} has {len(odd)}"
        + (f", and {len(wrong) - 1} more differ" if len(wrong) > 1 else "")
        + f"; {advice}"
    )


def _has_header(rows: list[list[str]]) -> bool:
    """Whether the first row holds names: it counts columns, or no cell is a number above numbers alone."""
    body = rows[1:]
    if not body:
        return True
    numeric = [
        place
        for place in range(len(rows[0]))
        if all(_NUMBER.match(row[place]) for row in body[:100] if row[place].strip())
        and any(row[place].strip() for row in body[:100])
    ]
    return not numeric or not all(_NUMBER.match(rows[0][place]) for place in numeric) or _counts(rows[0])


def _counts(row: list[str]) -> bool:
    """Whether the numbers of a row are 0, 1, 2 …, as pandas names columns without names."""
    numbers = [field.strip() for field in row if _NUMBER.match(field)]
    return len(numbers) >= COUNTED and numbers == [str(n) for n in range(len(numbers))]


def named(names: list[str], name: str) -> tuple[list[str], tuple[str, ...]]:
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
