"""The task of a study: training and validation data, never test."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from automl.contracts import Split, Task, UserError, digest
from automl.data import sources
from automl.data.parts import Parts, joined, load_parts
from automl.data.reading.rows import reading_of

REFIT: Final = "refit"  # a key beside those of a task: its validation rows are trained on too
OPENING: Final = "opening"  # {REFIT: {OPENING: id}}: and those of the test, which has been opened
_last: dict[str, Task] = {}


def load_task(spec: Mapping[str, Any], import_path: Sequence[str] = ()) -> Task:
    """Training and validation data of `spec`, a study's `task` as plain JSON; nothing leads to test rows.

    Files are looked for in `import_path`, then in the working directory. Images are (n, C, H, W)
    float32, standardised by the training rows' statistics, and read-only; tables are DataFrames.
    The last task of unchanged files is kept in memory. With `REFIT` the training rows are all but those of
    the test; the validation rows are among them. With the `OPENING` of the test set, which the ledger has,
    they are all rows: nothing is selected or measured any more. Raises `UserError` for unusable data.
    """
    stamp = sources.stamp([spec.get("dataset"), spec.get("test")], import_path)
    key = json.dumps([spec, stamp], sort_keys=True)
    task = _last.get(key)
    if task is None:
        parts = load_parts({name: value for name, value in spec.items() if name != REFIT}, import_path)
        task = _refitted(parts, spec[REFIT]) if spec.get(REFIT) else task_of(parts)
        _last.clear()
        if stamp is not None:
            _last[key] = task
    return replace(task, train=_guarded(task.train), validation=_guarded(task.validation))


def task_of(parts: Parts) -> Task:
    """Training and validation data of `parts`."""
    train = parts.split(parts.rows.train)
    return Task(
        name=parts.name,
        kind=parts.dataset.kind,
        shape=parts.shape,
        classes=parts.classes,
        train=train,
        validation=parts.split(parts.rows.validation),
        digest=parts.digest,
        episodes=parts.episodes,
        labels=parts.labels,
        in_time=parts.dataset.order is not None,
        notes=parts.dataset.notes,
        reading=reading_of(parts.dataset, train.x),
        rows=parts.all_rows,
    )


def _refitted(parts: Parts, how: bool | Mapping[str, int]) -> Task:
    """The task whose training rows are all but those of the test, or all. Its digest is another one."""
    if parts.episodes is not None:
        raise UserError(
            "few-shot parts share no class, so that validation is not trained on; leave refit out"
        )
    opened = isinstance(how, Mapping)
    if isinstance(how, Mapping) and how[OPENING] < 1:
        raise ValueError(f"the test set must be opened, and that recorded, to be trained on, but got {how}")
    known = [parts.rows.train, parts.rows.validation, *([parts.rows.test] if opened else [])]
    rows = np.concatenate(known)
    rows = rows if parts.dataset.order is not None else np.sort(rows)
    task, train = task_of(parts), parts.split(rows)
    if opened and parts.dataset.test is not None:
        train = joined(train, parts.prepared(parts.dataset.test))
    reading = reading_of(parts.dataset, train.x)
    seen = digest([parts.digest, REFIT, OPENING] if opened else [parts.digest, REFIT])
    return replace(task, train=train, reading=reading, digest=seen)


def _guarded(split: Split) -> Split:
    """`split` such that one trial's changes cannot reach the next one's data."""
    split.y.setflags(write=False)
    if isinstance(split.x, np.ndarray):
        split.x.setflags(write=False)
        return split
    return replace(split, x=split.x.copy(deep=True))
