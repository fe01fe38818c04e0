"""Table files with types: Parquet, Feather, JSON lines and Excel, read some rows at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

from automl.contracts import ReadSpec, UserError
from automl.data.reading.text import read_lines


def is_typed(path: Path) -> bool:
    """Whether the name of `path` is that of a table with types."""
    return path.name.lower().endswith(tuple(READERS))


def has_sheets(path: Path) -> bool:
    """Whether the name of `path` is that of a workbook."""
    return path.name.lower().endswith((".xlsx", ".xlsm"))


def typed_frames(path: Path, read: ReadSpec, size: int) -> Iterator[tuple[Any, list[str]]]:
    """The DataFrames of a table with types, at most `size` rows each, and notes. Raises `UserError`."""
    reader = next(read for ending, read in READERS.items() if path.name.lower().endswith(ending))
    try:
        yield from reader(path, read, size)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise UserError(
            f"a table must be a readable file, but reading {path} failed: {reason}; write it again"
        ) from error


def _parquet(path: Path, read: ReadSpec, size: int) -> Iterator[tuple[Any, list[str]]]:
    from pyarrow import parquet  # pyarrow takes a third of a second to import

    with parquet.ParquetFile(path) as file:
        found = file.iter_batches(batch_size=size)
        yield from ((frame, []) for frame in _of_arrow(found, file.schema_arrow))


def _feather(path: Path, read: ReadSpec, size: int) -> Iterator[tuple[Any, list[str]]]:
    from pyarrow import ipc, memory_map  # pyarrow takes a third of a second to import

    with memory_map(str(path)) as source, ipc.open_file(source) as file:
        batches = (file.get_batch(number) for number in range(file.num_record_batches))
        parts = (part.slice(start, size) for part in batches for start in range(0, len(part), size))
        yield from ((frame, []) for frame in _of_arrow(parts, file.schema))


def _of_arrow(batches: Iterator[Any], schema: Any) -> Iterator[Any]:
    """DataFrames without pandas' own index; an empty one where there are no rows."""
    import pyarrow as pa  # takes a third of a second to import

    plain = schema.remove_metadata()
    found = False
    for batch in batches:
        found = True
        yield pa.Table.from_batches([batch]).replace_schema_metadata(None).to_pandas()
    if not found:
        yield plain.empty_table().to_pandas()


def _json_lines(path: Path, read: ReadSpec, size: int) -> Iterator[tuple[Any, list[str]]]:
    import pandas as pd  # pandas takes half a second to import

    lines = enumerate(read_lines(path, read.encoding), start=1)
    records = (_record(line, number, path) for number, line in lines if line.strip())
    while rows := list(islice(records, size)):
        names = dict.fromkeys(name for row in rows for name in row)
        yield (
            pd.DataFrame({name: pd.Series([row.get(name) for row in rows], dtype=object) for name in names}),
            [],
        )


def _record(line: str, number: int, path: Path) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise UserError(
            f"each line must be a JSON object, but line {number} of {path.name}: {error}; correct it"
        ) from error
    if not isinstance(found, dict):
        raise UserError(
            f'each line must be a JSON object such as {{"size": 3}}, but line {number} of {path.name} is '
            f"{line[:60]!r}; write one row a line"
        )
    return found


def _excel(path: Path, read: ReadSpec, size: int) -> Iterator[tuple[Any, list[str]]]:
    import pandas as pd  # pandas takes half a second to import

    try:
        import openpyxl  # type: ignore[import-untyped]  # takes a quarter of a second to import
    except ModuleNotFoundError as error:
        raise UserError(
            f"Excel files need the package openpyxl, but it is not installed; pip install "
            f"'automl-orchestrator[excel]', or save {path.name} as CSV"
        ) from error
    with closing(openpyxl.load_workbook(path, read_only=True, data_only=True)) as book:
        names = [sheet.title for sheet in book.worksheets]
        if read.sheet is not None and read.sheet not in names:
            raise UserError(
                f"task.read.sheet must be one of {', '.join(map(repr, names))}, but got {read.sheet!r}; "
                "correct it"
            )
        chosen = names[0] if read.sheet is None else read.sheet
        told = read.sheet is None and len(names) > 1
        notes = [f"the sheet {chosen!r} is read; task.read.sheet names another one"] if told else []
        filled = (
            row for row in book[chosen].iter_rows(values_only=True) if any(cell is not None for cell in row)
        )
        header = next(filled, ())
        width = max((place for place, cell in enumerate(header, start=1) if cell is not None), default=0)
        while rows := list(islice(filled, size)):
            _check_width(rows, width, path)
            columns = [pd.Series([row[place] for row in rows], dtype=object) for place in range(width)]
            frame = pd.concat(columns, axis=1) if columns else pd.DataFrame(index=range(len(rows)))
            yield frame.set_axis(header[:width], axis=1), notes


def _check_width(rows: list[tuple[Any, ...]], width: int, path: Path) -> None:
    over = next((row for row in rows if any(cell is not None for cell in row[width:])), None)
    if over is not None:
        raise UserError(
            f"every column must have a name, but a row of {path.name} has cells beyond the {width} names of "
            "its first row; name those columns, and leave out what stands above the table"
        )


_Reader = Callable[[Path, ReadSpec, int], Iterator[tuple[Any, list[str]]]]
READERS: Final[dict[str, _Reader]] = {
    ".parquet": _parquet,
    ".pq": _parquet,
    ".feather": _feather,
    ".arrow": _feather,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".jsonl.gz": _json_lines,
    ".xlsx": _excel,
    ".xlsm": _excel,
}
