"""The cells of a table file of any kind: all at once for a study, or some rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from automl.contracts import ReadSpec, UserError
from automl.data.reading import formats
from automl.data.reading.database import query_cells
from automl.data.reading.grid import Grid, read_grid, read_grids
from automl.data.reading.text import FALLBACK, read_lines, read_text
from automl.data.reading.typed import typed_grid

SEPARATORS: Final = {".csv": ",", ".csv.gz": ",", ".tsv": "\t", ".tsv.gz": "\t", ".txt": ",", ".txt.gz": ","}
ENDINGS: Final = (*SEPARATORS, *formats.READERS)
TEXT_KEYS: Final = ("separator", "decimal", "thousands", "encoding", "quote", "header", "missing")
TYPED_KEYS: Final = ("decimal", "thousands", "encoding", "missing")  # of `task.read`
_ALL: Final = 2**62  # rows


def is_table(path: Path) -> bool:
    """Whether the name of `path` is that of a table."""
    return path.name.lower().endswith(ENDINGS)


def keys(path: Path) -> tuple[str, ...]:
    """What `task.read` may have for the table `path`."""
    sheet = ("sheet",) if formats.has_sheets(path) else ()
    return (*TYPED_KEYS, *sheet) if formats.is_typed(path) else TEXT_KEYS


def all_cells(path: Path, read: ReadSpec) -> Grid:
    """All cells of the table `path`. Raises `UserError`."""
    if formats.is_typed(path):
        import pandas as pd  # pandas takes half a second to import

        found = list(formats.typed_frames(path, read, _ALL))
        if not sum(len(frame) for frame, _ in found):
            raise UserError(f"a table must have rows, but {path} has none; check the file")
        grid = typed_grid(pd.concat([frame for frame, _ in found]), 0, path.name)
        return replace(grid, notes=(*found[0][1], *grid.notes))
    text, encoding = read_text(path, read.encoding)
    grid = read_grid(text, read, _usual_separator(path), path.name)
    if encoding in (FALLBACK, "latin-1") and read.encoding is None:
        note = f"the file is not UTF-8 and is read as {encoding}; task.read.encoding sets another one"
        return replace(grid, notes=(*grid.notes, note))
    return grid


def query(url: str, wanted: str) -> Grid:
    """All rows of a query on the database at `url`. Raises `UserError`."""
    (grid,) = query_cells(url, wanted, 2**31 - 1)
    return grid


def cells(path: Path, read: ReadSpec, size: int) -> Iterator[Grid]:
    """The cells of the table `path`, at most `size` rows at a time; indices count on. Raises `UserError`."""
    if not formats.is_typed(path):
        lines = read_lines(path, read.encoding)
        yield from read_grids(lines, read, _usual_separator(path), path.name, size)
        return
    first = 0
    for frame, notes in formats.typed_frames(path, read, size):
        grid = typed_grid(frame, first, path.name)
        yield replace(grid, notes=(*notes, *grid.notes))
        first += len(frame)


def _usual_separator(path: Path) -> str:
    """The separator that the name of `path` promises."""
    return next(mark for suffix, mark in SEPARATORS.items() if path.name.lower().endswith(suffix))
