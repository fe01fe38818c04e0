"""Tables from text files."""

from __future__ import annotations

import difflib
from pathlib import Path

from automl.contracts import TaskSpec, UserError
from automl.data.dataset import Dataset

KEYS = ("separator", "decimal", "thousands", "encoding", "quote", "header", "missing")  # of `task.read`
SEPARATORS = {".csv": ",", ".csv.gz": ",", ".tsv": "\t", ".tsv.gz": "\t"}


def is_table(path: Path) -> bool:
    """Whether the name of `path` is that of a table."""
    return path.name.lower().endswith(tuple(SEPARATORS))


def read_table(path: Path, task: TaskSpec) -> Dataset:
    """A table with a header; the target is the column `target`, or the last one. Empty cells are missing."""
    import pandas as pd  # pandas takes half a second to import

    target = task.target
    separator = next(sep for suffix, sep in SEPARATORS.items() if path.name.lower().endswith(suffix))
    try:
        frame = pd.read_csv(path, sep=separator, low_memory=False)
    except (OSError, ValueError, EOFError, pd.errors.ParserError) as error:
        raise UserError(
            f"a table must be a readable {separator!r}-separated file, but {path}: {error}"
        ) from error
    columns = [str(column) for column in frame.columns]
    frame.columns = columns
    if len(columns) < 2 or len(frame) == 0:
        raise UserError(
            f"a table must have rows, features and a target, but {path} has {len(frame)} rows and "
            f"{len(columns)} columns; check the file and its separator"
        )
    chosen = columns[-1] if target is None else target
    if chosen not in columns:
        near = difflib.get_close_matches(chosen, columns, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UserError(
            f"task.target must be a column of {path.name}, but got {chosen!r}; {hint}"
            f"columns: {', '.join(columns)}"
        )
    y = frame.pop(chosen).to_numpy()
    return Dataset(frame, y, "table")
