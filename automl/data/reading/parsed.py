"""Large tables are read once on a node: what came of a file is kept there, by the file's content."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np

from automl.contracts import ReadColumn, TableReading, TaskSpec, UserError
from automl.data.dataset import Column, Dataset
from automl.files.cache import node_cache

LEAST: Final = 1_000_000  # bytes of a file from which on it is kept
_FEATURES, _ROWS, _DESCRIBED = "features.arrow", "rows.arrow", "dataset.json"
_BLOCK: Final = 1 << 20
_log = logging.getLogger(__name__)


def read_once(path: Path, task: TaskSpec, make: Callable[[], Dataset], also: str = "") -> Dataset:
    """The dataset that `make` reads of the file `path`; again only when the file, or how it is read, changed.

    `also`: what decides how it is read besides.
    It lies in the node's cache, of a bounded size, and for its user alone. What `make` raises is raised.
    """
    if path.stat().st_size < LEAST:
        return make()
    made: list[Dataset] = []

    def write(part: Path) -> None:
        made.append(make())
        try:
            part.mkdir(mode=0o700)
            _write(made[0], part)
        except (OSError, ValueError) as error:
            shutil.rmtree(part, ignore_errors=True)
            raise _NotKeptError(str(error)) from error

    try:
        return _kept(f"table-{_key(path, task, also)}", write)
    except _NotKeptError as error:
        _log.warning("%s is read anew by each process, since it could not be kept: %s", path, error)
        return made[0] if made else make()


class _NotKeptError(Exception):
    """A dataset could not be written, or not be read again."""


def _kept(key: str, write: Callable[[Path], None]) -> Dataset:
    try:
        kept = node_cache()
    except UserError as error:
        raise _NotKeptError(str(error)) from error
    try:
        for _ in range(2):  # a damaged one is made again
            with kept.held(key, write) as folder, suppress(OSError, ValueError, KeyError, TypeError):
                return _load(folder)
            kept.drop(key)
    except OSError as error:
        raise _NotKeptError(str(error)) from error
    raise _NotKeptError(f"{kept.folder / key} cannot be read")


def _key(path: Path, task: TaskSpec, also: str) -> str:
    """All that decides what is read: the file, what the task says of it, and the code that reads."""
    split = (task.split.group, task.split.time, task.weights)
    said = [path.name, task.target, task.read.model_dump(mode="json"), task.columns.model_dump(mode="json")]
    found = hashlib.sha256(json.dumps([_code(), *said, *split, also], sort_keys=True).encode())
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            found.update(block)
    return found.hexdigest()


@cache
def _code() -> str:
    import pandas as pd  # pandas takes half a second to import

    found = hashlib.sha256(pd.__version__.encode())
    for file in sorted(Path(__file__).parent.glob("*.py")):
        found.update(file.read_bytes())
    return found.hexdigest()


def _write(dataset: Dataset, folder: Path) -> None:
    """Raises `ValueError` for a column that is neither numbers nor texts."""
    beside = {"y": dataset.y, "groups": dataset.groups, "order": dataset.order, "weights": dataset.weights}
    columns = {str(number): column.to_numpy() for number, (_, column) in enumerate(dataset.x.items())}
    _write_columns(columns, folder / _FEATURES)
    _write_columns({name: one for name, one in beside.items() if one is not None}, folder / _ROWS)
    described = {
        "names": [str(name) for name in dataset.x],
        "notes": dataset.notes,
        "columns": [asdict(one) for one in dataset.columns],
        "target": dataset.target,
        "reading": None if dataset.reading is None else asdict(dataset.reading),
        "answer": None if dataset.answer is None else asdict(dataset.answer),
        "weighed": None if dataset.weighed is None else asdict(dataset.weighed),
        "group_names": dataset.group_names,
    }
    (folder / _DESCRIBED).write_text(json.dumps(described), encoding="utf-8")


def _write_columns(columns: Mapping[str, np.ndarray], file: Path) -> None:
    import pyarrow as pa  # takes a while to import
    from pyarrow import feather

    made = {}
    for name, values in columns.items():
        if values.dtype == object and all(cell is None or type(cell) is str for cell in values):
            made[name] = pa.array(values, pa.string()).dictionary_encode()
        elif values.dtype in (np.float64, np.int64):
            made[name] = pa.array(values)  # nan stays a number
        else:
            raise ValueError(f"a column of {values.dtype} is neither numbers nor texts")
    feather.write_feather(pa.table(made), file, compression="uncompressed")


def _load(folder: Path) -> Dataset:
    import pandas as pd  # pandas takes half a second to import

    described = json.loads((folder / _DESCRIBED).read_text(encoding="utf-8"))
    features, rows = _columns(folder / _FEATURES), _columns(folder / _ROWS)
    series = [
        pd.Series(features[str(n)], dtype=features[str(n)].dtype) for n in range(len(described["names"]))
    ]
    x = pd.DataFrame(dict(zip(described["names"], series, strict=True)))
    found, answer, weighed = (described[key] for key in ("reading", "answer", "weighed"))
    return Dataset(
        x,
        rows["y"],
        "table",
        notes=tuple(described["notes"]),
        groups=rows.get("groups"),
        order=rows.get("order"),
        weights=rows.get("weights"),
        columns=tuple(Column(**one) for one in described["columns"]),
        target=described["target"],
        reading=None if found is None else TableReading.from_json(found),
        answer=None if answer is None else ReadColumn.from_json(answer),
        weighed=None if weighed is None else ReadColumn.from_json(weighed),
        group_names=tuple(described["group_names"]),
    )


def _columns(file: Path) -> dict[str, np.ndarray]:
    """Copies of the columns in `file`; texts are shared by the cells that have them."""
    import pyarrow as pa  # takes a while to import
    from pyarrow import feather

    found = {}
    for name, column in zip((table := feather.read_table(file)).column_names, table.columns, strict=True):
        if not pa.types.is_dictionary(column.type):
            found[name] = column.to_numpy().copy()
            continue
        whole = column.unify_dictionaries().combine_chunks()
        texts = np.array([*whole.dictionary.to_pylist(), None], object)
        found[name] = texts[whole.indices.fill_null(len(texts) - 1).to_numpy()]
    return found
