"""Every dataset plug-in, found by discovery: what it hands out, and what it keeps sealed."""

from __future__ import annotations

import inspect
import pickle

import numpy as np
import pandas as pd
import pytest

from automl import plugins
from automl.contracts import Task, UserError
from automl.data import load_task
from automl.data.dataset import Dataset, check_dataset
from automl.data.sealed import open_test

NAMES = plugins.names("datasets")
MANY = 3000  # rows; above it the parts are compared by their sizes alone


def dataset(name: str) -> Dataset:
    try:
        return plugins.load("datasets", name)()
    except UserError as error:
        if "AUTOML_DATA" not in str(error):
            raise
        pytest.skip(str(error))


def spec(name: str, **split) -> dict:
    found = dataset(name)
    metric = "r2" if found.classes == 0 else "accuracy"
    split = {"validation": 0.2, "test": 0.2, "seed": 0} | split
    drawn = {"shots": 5, "queries": 5} if found.kind == "functions" else None
    metrics = [{"name": metric, "direction": "maximize"}]
    return {"dataset": name, "metrics": metrics, "split": split, "episodes": drawn}


def rows(x) -> list[bytes]:
    if isinstance(x, pd.DataFrame):
        return [repr(row).encode() for row in x.itertuples(index=False)]
    return [row.tobytes() for row in x]


def test_all_are_found():
    assert {"digits", "iris", "wine", "breast_cancer", "diabetes", "fashion_mnist", "cifar10"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_described(name):
    assert plugins.summaries("datasets")[name].endswith(".")
    assert inspect.signature(plugins.load("datasets", name)).parameters == {}


@pytest.mark.parametrize("name", NAMES)
def test_it_keeps_the_rules(name):
    found = check_dataset(dataset(name), name)
    assert found.classes is not None
    if found.classes:
        assert sorted(np.unique(found.y)) == list(range(found.classes))


@pytest.mark.parametrize("name", NAMES)
def test_its_task_is_complete_disjoint_and_repeatable(name):
    found, task, test = dataset(name), load_task(spec(name)), open_test(spec(name), opening=1)
    assert isinstance(task, Task)
    official = len(found.test) if found.test else 0
    assert len(task.train) + len(task.validation) + len(test) == len(found.y) + official
    assert len(test) == official or not official
    points = 1 if task.kind == "functions" else 0
    assert np.shape(task.train.x)[1 + points :] == task.shape == np.shape(test.x)[1 + points :]
    number = np.float32 if task.kind == "functions" else np.float64
    assert task.train.y.dtype == test.y.dtype == (np.int64 if task.classes else number)
    if task.kind == "image":
        assert task.train.x.dtype == test.x.dtype == np.float32
        assert np.abs(task.train.x.mean(axis=(0, 2, 3), dtype=float)).max() < 1e-3
        assert task.train.x.base is None and task.validation.x.base is None
    if len(found.y) <= MANY:
        together = rows(task.train.x) + rows(task.validation.x) + rows(test.x)
        everything = rows(found.x)
        # equal rows may lie in several parts, but not more often than in the data
        assert len(set(together)) == len(set(everything)) and len(together) == len(everything)
        assert load_task(spec(name, seed=1)).digest != task.digest
        assert load_task(spec(name)).digest == task.digest
        held_out = set(rows(test.x)) - set(rows(task.train.x)) - set(rows(task.validation.x))
        if isinstance(test.x, np.ndarray):
            found_bytes = pickle.dumps(task)
            assert not [row for row in held_out if row in found_bytes]
