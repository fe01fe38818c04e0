"""Where a dataset comes from: a plug-in, a file, a folder of images, a database, or a user's function."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from automl import origins, plugins
from automl.contracts import TaskSpec, UserError
from automl.data import reading
from automl.data.dataset import Dataset, check_dataset
from automl.files import is_database, is_url, staged_any

_NOT_READ_BY = ("metrics", "episodes")  # keys of a task that say what becomes of the data
_BUNDLED = "automl.data.datasets."
FUNCTION = "a dataset must be a function without arguments"


class _Kept:
    """What was read last, and of what; `wanted`: whether anything is kept."""

    wanted = False
    key: str | None = None
    dataset: Dataset | None = None


@contextmanager
def kept() -> Iterator[None]:
    """Keep what is read in memory inside the block, rows of the test included, while its files do not change.

    For a process that plans, runs and tests a study whose trials run in other processes; see `forget`.
    """
    _Kept.wanted = True
    try:
        yield
    finally:
        forget()


def forget() -> None:
    """Keep nothing (any more): trials are about to run in this process."""
    _Kept.wanted, _Kept.key, _Kept.dataset = False, None, None


def read(task: TaskSpec, import_path: Sequence[str]) -> Dataset:
    """The dataset of `task`; see `kept`.

    Raises `UserError` when there is none of that name, its data break a rule, or `task` does not fit them.
    """
    at = stamp([task.dataset, task.test], import_path) if _Kept.wanted else None
    if at is None:
        return _read(task, import_path)
    spec = {name: value for name, value in task.model_dump(mode="json").items() if name not in _NOT_READ_BY}
    key = json.dumps([spec, at], sort_keys=True)
    if _Kept.dataset is None or _Kept.key != key:
        _Kept.dataset, _Kept.key = _read(task, import_path), key
    return _Kept.dataset


def _read(task: TaskSpec, import_path: Sequence[str]) -> Dataset:
    reference = task.dataset
    if not reference:
        raise UserError(
            "this needs a dataset, but the study has none; name one in task.dataset (automl list)"
        )
    if is_database(reference):
        found, name = reading.read_query(reference, task), short_name(reference)
    elif is_file(reference):
        found, name = reading.read(find(reference, import_path), task), reference
    else:
        make = origins.as_function(plugins.load("datasets", reference), reference, 0, FUNCTION)
        dataset = check_dataset(make(), reference)
        reading.check_keys(reference, task, (), "not a file")
        return dataset
    if task.test is not None:
        found = reading.with_test(found, find(task.test, import_path, "task.test"), task)
    return check_dataset(found, name)


def is_own_code(reference: str) -> bool:
    """Whether a function of the user's makes the dataset `reference`."""
    return not is_file(reference) and plugins.is_own("datasets", reference)


def stamp(references: Sequence[str | None], import_path: Sequence[str]) -> list[Any] | None:
    """A value that changes when the data may have changed; None when that is unknown.

    `references`: a dataset, and other files that belong to it; None for none.
    """
    found = [_stamp(one, import_path) for one in references if one]
    return None if not references[0] or None in found else found


def _stamp(reference: str, import_path: Sequence[str]) -> list[Any] | None:
    if is_database(reference):
        return None
    if is_file(reference):
        return [[str(file), *state(file)] for file in _inside(find(reference, import_path))]
    if ":" in reference or not plugins.load("datasets", reference).__module__.startswith(_BUNDLED):
        return None
    return [os.environ.get("AUTOML_DATA")]


def files(reference: str | None, import_path: Sequence[str]) -> list[Path]:
    """The files that hold the data; none where they are not in files of the user's. Raises `UserError`."""
    if not reference or not is_file(reference) or is_database(reference):
        return []
    return [path for path in _inside(find(reference, import_path)) if path.is_file()]


def _inside(path: Path) -> list[Path]:
    return sorted(path.rglob("*")) if path.is_dir() else [path]


def state(file: Path) -> tuple[int, int]:
    """When `file` was changed, in nanoseconds, and its size; of a link that leads nowhere, the link's."""
    try:
        found = file.stat()
    except OSError:
        found = file.lstat()
    return found.st_mtime_ns, found.st_size


def is_file(reference: str) -> bool:
    """Whether `reference` names a file or folder rather than a plug-in or function."""
    return "/" in reference or (":" not in reference and bool(Path(reference).suffix))


def find(reference: str, import_path: Sequence[str], key: str = "task.dataset") -> Path:
    """The file `reference`, in `import_path`, then the working directory; of a URL this node's copy.

    Raises `UserError`, which says which `key` of the study to correct.
    """
    if is_url(reference):
        return staged_any(reference, key)
    candidates = [folder / reference for folder in (*map(Path, import_path), Path.cwd())]
    for path in candidates:
        if path.exists():
            return path
    searched = ", ".join(dict.fromkeys(str(path) for path in candidates))
    raise UserError(f"a dataset file must exist, but there is none at {searched}; correct {key}")


def short_name(reference: str) -> str:
    """A name for messages and titles: the file's own, without its folders."""
    return (
        Path(reference.partition("?")[0] if is_url(reference) else reference).name
        if is_file(reference)
        else reference
    )
