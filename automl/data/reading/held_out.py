"""The sealed test set from a file of its own: its rows are read as those of the dataset were."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from automl.contracts import ReadColumn, Split, TableReading, TaskSpec, UserError
from automl.data.dataset import Dataset
from automl.data.reading import cells, parsed
from automl.data.reading.columns import check_names
from automl.data.reading.grid import Grid, nearest_first
from automl.data.reading.rows import features_of, read_column, reading_of
from automl.data.reading.tables import checked_weights, group_texts
from automl.data.reading.wording import count


def with_test(dataset: Dataset, path: Path, task: TaskSpec) -> Dataset:
    """`dataset`, a table with all rows that are not tested, and the rows of `path` as its test part.

    Categories that it does not have are told, and rows that it has too. Raises `UserError` for a column that
    is missing, a cell that is not of its column's kind, and a row without a target.
    """
    reading, answer = reading_of(dataset, dataset.x), dataset.answer
    if reading is None or answer is None:
        raise ValueError("a test set from a file needs a table whose target is a column")
    weighed = None if dataset.weighed is None else asdict(dataset.weighed)
    also = json.dumps([asdict(reading), asdict(answer), weighed, str(dataset.y.dtype)])
    found = parsed.read_once(path, task, lambda: _read(dataset, reading, answer, path, task), also)
    told = [*found.notes, *_copies(dataset, found), *_groups_of_both(dataset, found, task.split.group)]
    notes = (*dataset.notes, *(f"{path.name}: {note}" for note in told))
    return replace(dataset, test=Split(found.x, found.y, found.groups, found.weights), notes=notes)


def _read(dataset: Dataset, reading: TableReading, answer: ReadColumn, path: Path, task: TaskSpec) -> Dataset:
    """The rows of the file as a dataset of their own."""
    import pandas as pd  # pandas takes half a second to import

    grid = cells.all_cells(path, task.read)
    known = {*(column.name for column in dataset.columns), answer.name}
    used = {column.name for column in reading.columns}
    try:
        _check_target(answer.name, grid)
        frame, told = features_of(reading, grid.frame[[name for name in grid.frame if name in used]])
        y = _target(dataset, answer, grid, reading.missing)
        weights = _weights(dataset.weighed, grid, reading.missing)
    except UserError as error:
        raise UserError(
            f"{path.name} must have rows like those of the dataset (task.test): {error}"
        ) from None
    texts = None
    if task.split.group is not None and task.split.group in grid.frame:
        texts = group_texts(grid, task.split.group)
    strange = [str(name) for name in grid.frame if name not in known]
    left = (
        [f"columns that the dataset does not have are left out: {', '.join(strange[:10])}"] if strange else []
    )
    groups = None if texts is None else np.asarray(pd.factorize(texts)[0], np.int64)
    names = () if texts is None else tuple(texts.unique())
    notes = (*grid.notes, *left, *told)
    frame = frame.reset_index(drop=True)
    beside = Dataset(frame, y, "table", groups=groups, group_names=names, weights=weights)
    return replace(beside, notes=notes)


def _check_target(target: str, grid: Grid) -> None:
    if target not in grid.frame:
        raise UserError(
            f"the target {target!r} is missing, by which it is scored; its columns, the most similar first: "
            f"{nearest_first(target, list(grid.frame))}"
        )


def _target(dataset: Dataset, answer: ReadColumn, grid: Grid, missing: tuple[str, ...] | None) -> np.ndarray:
    """The target (n,), of the kind that it has in the dataset."""
    import pandas as pd  # pandas takes half a second to import

    if answer.kind == "category":
        answer = replace(answer, known=tuple(sorted({str(one) for one in dataset.y if one is not None})))
    y = np.asarray(read_column(answer, grid.frame[answer.name], missing)[0][answer.name])
    absent = np.flatnonzero(pd.isna(y))
    if len(absent):
        raise UserError(
            f"every row must have a target, but {len(absent)} of {len(y)} have none, the first one is row "
            f"{absent[0] + 1}; remove those rows"
        )
    whole = dataset.y.dtype.kind == "i" and bool((y == np.floor(y)).all())
    return y.astype(np.int64) if whole else y


def _weights(weighed: ReadColumn | None, grid: Grid, missing: tuple[str, ...] | None) -> np.ndarray | None:
    """The weights (n,) of the rows, which are fitted on once they have been tested."""
    if weighed is None:
        return None
    check_names("task.weights", [weighed.name], list(grid.frame))
    return checked_weights(
        read_column(weighed, grid.frame[weighed.name], missing)[0][weighed.name], weighed.name
    )


def _copies(dataset: Dataset, found: Dataset) -> Iterator[str]:
    """Rows that the dataset has too: a score on them is too good."""
    marks, others = _marks(found.x, dataset.x), _marks(dataset.x, dataset.x)
    both = int(np.isin(marks, others).sum())
    if not both:
        return
    whole = found.x.assign(**{"\0target": found.y}), dataset.x.assign(**{"\0target": dataset.y})
    equal = int(np.isin(_marks(whole[0], whole[1]), _marks(whole[1], whole[1])).sum())
    yield (
        f"{both} of {count(len(marks), 'row')} have the features of a row of the dataset, {equal} of them "
        "its target too: a score on such rows is too good; remove copies from one of the files"
    )


def _marks(rows: Any, like: Any) -> np.ndarray:
    """A hash of each row (n,), of columns of the kinds that `like` has."""
    import pandas as pd  # pandas takes half a second to import

    numeric = {name: pd.api.types.is_numeric_dtype(column) for name, column in like.items()}
    kinds = {name: "float64" if is_number else "object" for name, is_number in numeric.items()}
    hashes: np.ndarray = pd.util.hash_pandas_object(rows.astype(kinds), index=False).to_numpy()
    return hashes


def _groups_of_both(dataset: Dataset, found: Dataset, group: str | None) -> Iterator[str]:
    if group is None:
        return
    if found.groups is None:
        yield f"there is no column {group!r} (task.split.group): each row is taken for a group of its own"
        return
    both = sorted(set(found.group_names) & set(dataset.group_names))
    if both:
        shown = ", ".join(map(repr, both[:3])) + (" …" if len(both) > 3 else "")
        yield (
            f"{len(both)} of {len(found.group_names)} values of {group!r} are in the dataset too, such as "
            f"{shown}: a score on their rows is too good where new ones are to be predicted"
        )
