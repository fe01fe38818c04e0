"""Datasets from files: tables (text, Parquet, Feather, JSON lines, Excel), arrays (.npz), folders of images.

What a reader finds out, leaves out or converts is among the notes of its dataset.
"""

from __future__ import annotations

from pathlib import Path

from automl.contracts import TaskSpec, UserError
from automl.data.dataset import Dataset
from automl.data.reading import arrays, cells, database, held_out, images, parsed, tables
from automl.data.reading.pictures import endings


def read(path: Path, task: TaskSpec) -> Dataset:
    """The dataset in the file or folder `path`. Raises `UserError` when it cannot be understood."""
    if path.is_dir():
        check_keys(path.name, task, images.KEYS, "a folder of images")
        return images.read_images(path, task.read)
    if path.suffix.lower() == ".npz":
        check_keys(path.name, task, arrays.KEYS, "a file of arrays")
        return arrays.read_arrays(path, task.read)
    if cells.is_table(path):
        check_keys(path.name, task, cells.keys(path), "a table", table=True)
        return parsed.read_once(
            path, task, lambda: tables.table_of(cells.all_cells(path, task.read), path.name, task)
        )
    raise UserError(
        f"a dataset file must end in {', '.join(cells.ENDINGS)} or .npz, or be a folder of images, but "
        f"got {path.name!r}; {_advice(path.suffix.lower())}"
    )


def read_query(url: str, task: TaskSpec) -> Dataset:
    """The dataset that a query gives on the database at `url`. Raises `UserError`."""
    check_keys(url, task, database.KEYS, "a database", table=True)
    return tables.table_of(cells.query(url, database.ordered(task.read.query)), database.NAME, task)


def with_test(dataset: Dataset, path: Path, task: TaskSpec) -> Dataset:
    """The table `dataset` with the rows of the table file `path` as its test part. Raises `UserError`."""
    if not cells.is_table(path):
        raise UserError(
            f"task.test must be a table whose name ends in {', '.join(cells.ENDINGS)}, but got "
            f"{path.name!r}; convert it"
        )
    check_keys(path.name, task, cells.keys(path), "a table", table=True)
    return held_out.with_test(dataset, path, task)


def _advice(ending: str) -> str:
    """What to do with a file that is none of those that are read."""
    if ending == ".npy":
        return "save inputs and targets together, by np.savez(path, x=…, y=…)"
    if ending in (".zip", ".tar", ".tgz", ".gz", ".7z", ".rar"):
        return "unpack it, and name the file or folder inside"
    if ending in endings():
        return "name the folder that holds a folder of images for each class"
    return "convert it"


def check_keys(name: str, task: TaskSpec, known: tuple[str, ...], kind: str, *, table: bool = False) -> None:
    """Raise `UserError` for keys of `task` that such data do not have. `known`: keys of `task.read`."""
    wrong = [f"task.read.{key}" for key in task.read.given() if key not in known]
    if not table:
        wrong += ["task.test"] if task.test is not None else []
        wrong += ["task.target"] if task.target is not None else []
        wrong += ["task.weights"] if task.weights is not None else []
        wrong += [f"task.columns.{key}" for key, value in task.columns if value]
        wrong += ["task.split.group"] if task.split.group is not None else []
        wrong += ["task.split.time"] if task.split.time is not None else []
    if wrong:
        raise UserError(f"{', '.join(wrong)} must fit the data, but {name!r} is {kind}; remove {wrong[0]}")
