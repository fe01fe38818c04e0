"""What a dataset must do: see `automl.data.dataset`."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import TypeAlias

import numpy as np
import pandas as pd

from automl.checking.frame import Check
from automl.contracts import Direction, EpisodesSpec, Metric, Split, SplitSpec, TaskSpec
from automl.data.dataset import Dataset, check_dataset
from automl.data.parts import Parts, split_dataset
from automl.data.tasks import task_of

Maker: TypeAlias = Callable[[], Dataset]
MANY = 3000  # rows; above it, parts are compared by their sizes alone
CENTRED = 1e-3  # largest mean of standardised training images


def checks(plugin: object) -> Iterator[Check]:
    """The checks of a dataset. The data are read when the first one runs, and kept for the next ones."""
    yield Check("it is a function without arguments", partial(_check_function, plugin))
    if callable(plugin):
        yield Check("it returns a Dataset that keeps the rules", partial(_check_rules, plugin))
        yield Check("it returns the same rows at each call", partial(_check_repeatable, plugin))
        yield Check("its parts are complete, disjoint and follow the seed", partial(_check_parts, plugin))
        yield Check("its training and validation data have the right types", partial(_check_types, plugin))
        yield Check("no test row reaches the task", partial(_check_sealed, plugin))


def _check_function(plugin: object) -> None:
    assert callable(plugin), f"a dataset must be a function, but is {plugin!r}; define one that returns it"
    needed = [
        name
        for name, parameter in inspect.signature(plugin).parameters.items()
        if parameter.default is parameter.empty
    ]
    assert not needed, f"a dataset's function must take no arguments, but needs {needed}; remove them"


def _check_rules(plugin: Maker) -> None:
    dataset = _dataset(plugin)
    if dataset.classes:
        labels = np.unique(dataset.y).tolist()
        assert labels == list(range(dataset.classes)), (
            f"y must hold each of 0 … {dataset.classes - 1}, for classes is {dataset.classes}, but it holds "
            f"{len(labels)} labels from {labels[0]} to {labels[-1]}; correct classes, or leave it out"
        )


def _check_repeatable(plugin: Maker) -> None:
    again = split_dataset(check_dataset(plugin(), _name(plugin)), _name(plugin), _task(plugin))
    assert again.digest == _parts(plugin).digest, (
        "each call must return the same rows in the same order, but two calls differ; give random draws a "
        "fixed seed, and sort what is listed from a folder"
    )


def _check_parts(plugin: Maker) -> None:
    dataset, parts = _dataset(plugin), _parts(plugin)
    every = np.concatenate([parts.rows.train, parts.rows.validation, parts.rows.test])
    assert sorted(every.tolist()) == list(range(len(dataset.y))), (
        "each row must be in exactly one part, but some are in none or in two"
    )
    other = split_dataset(dataset, _name(plugin), _task(plugin, seed=1))
    if len(dataset.y) <= MANY and dataset.parts is None:
        assert other.digest != parts.digest, "another seed of the split must give other parts, but does not"


def _check_types(plugin: Maker) -> None:
    parts = _parts(plugin)
    task = task_of(parts)
    number = np.float32 if task.kind == "functions" else np.float64
    points = 1 if task.kind == "functions" else 0
    for split in (task.train, task.validation):
        assert np.shape(split.x)[1 + points :] == task.shape, (
            f"an input must have the task's shape {task.shape}, but has {np.shape(split.x)[1 + points :]}"
        )
        assert split.y.dtype == (np.int64 if task.classes else number), (
            f"targets must be {'int64 labels' if task.classes else np.dtype(number)}, but are {split.y.dtype}"
        )
    if task.kind == "image":
        mean = np.abs(task.train.x.mean(axis=(0, 2, 3), dtype=float)).max()
        assert task.train.x.dtype == np.float32, f"images must be float32, but are {task.train.x.dtype}"
        assert mean < CENTRED, f"standardised training images must have the mean 0, but it is {mean:.3g}"


def _check_sealed(plugin: Maker) -> None:
    parts = _parts(plugin)
    task = task_of(parts)
    test = parts.prepared(parts.dataset.test) if parts.dataset.test else parts.split(parts.rows.test)
    if isinstance(test.x, np.ndarray) and len(parts.dataset.y) <= MANY:
        held_out = set(_rows(test)) - set(_rows(task.train)) - set(_rows(task.validation))
        searched = pickle.dumps(task)
        found = sum(row in searched for row in held_out)
        assert not found, f"the task must hold no test row, but holds {found}"


def _rows(split: Split) -> list[bytes]:
    if isinstance(split.x, pd.DataFrame):
        return [repr(row).encode() for row in split.x.itertuples(index=False)]
    return [row.tobytes() for row in split.x]


@lru_cache(maxsize=1)
def _dataset(plugin: Maker) -> Dataset:
    return check_dataset(plugin(), _name(plugin))


@lru_cache(maxsize=1)
def _parts(plugin: Maker) -> Parts:
    return split_dataset(_dataset(plugin), _name(plugin), _task(plugin))


def _task(plugin: Maker, seed: int = 0) -> TaskSpec:
    """The task of a study: episodes of the smallest size for functions and official parts."""
    dataset = _dataset(plugin)
    metric = {None: "one's own", 0: "r2"}.get(dataset.classes, "accuracy")
    episodic = dataset.kind == "functions" or dataset.parts is not None
    ways = None if dataset.kind == "functions" else 2
    return TaskSpec(
        dataset=_name(plugin),
        metrics=[Metric(metric, Direction.MAXIMIZE)],
        split=SplitSpec(seed=seed),
        episodes=EpisodesSpec(ways=ways, shots=1, queries=1) if episodic else None,
    )


def _name(plugin: Maker) -> str:
    return plugin.__module__.rpartition(".")[2]
