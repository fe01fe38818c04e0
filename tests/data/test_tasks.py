"""Tasks: train statistics, digests, and a test set that nothing leads to."""

from __future__ import annotations

import gc
import pickle
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl.contracts import Task, UserError
from automl.data import load_task
from automl.data.sealed import open_test


def spec(dataset: str, metric: str = "accuracy", **extra: Any) -> dict[str, Any]:
    keep = {"columns": {"keep": ["word"]}} if str(dataset).endswith(".csv") else {}
    return {"dataset": str(dataset), "metrics": [{"name": metric, "direction": "maximize"}], **keep, **extra}


def save_images(
    folder: Path, rows: int = 60, official: bool = False, seed: int = 0
) -> tuple[Path, dict[str, np.ndarray]]:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 256, (rows, 3, 4, 5)).astype(np.uint8)
    arrays = {"x": x, "y": np.arange(rows) % 3}
    if official:
        arrays |= {"x_test": rng.integers(0, 256, (9, 3, 4, 5)).astype(np.uint8), "y_test": np.arange(9) % 3}
    np.savez(folder / "images.npz", **arrays)
    return folder / "images.npz", arrays


def rows_of(x: np.ndarray) -> set[bytes]:
    return {row.tobytes() for row in np.asarray(x)}


def test_digits_is_standardised_by_its_training_rows() -> None:
    task = load_task(spec("digits"))
    assert (task.kind, task.shape, task.classes) == ("image", (1, 8, 8), 10)
    assert task.train.x.dtype == np.float32 and task.train.y.dtype == np.int64
    assert abs(task.train.x.mean()) < 1e-5 and abs(task.train.x.std() - 1) < 1e-5
    assert abs(task.validation.x.mean()) > 1e-5
    assert len(task.train) + len(task.validation) + len(open_test(spec("digits"), opening=1)) == 1797


def test_test_rows_are_prepared_by_the_training_statistics(tmp_path: Path) -> None:
    path, arrays = save_images(tmp_path)
    task, test = load_task(spec(path)), open_test(spec(path), opening=1)
    together = np.concatenate([task.train.x, task.validation.x, test.x])
    back = np.rint(together * _std(task, arrays) + _mean(task, arrays))
    assert {row.astype(np.uint8).tobytes() for row in back} == rows_of(arrays["x"])


def _train_rows(task: Task, arrays: dict[str, np.ndarray]) -> np.ndarray:
    """The raw training rows, found by their order within each row's pixels."""
    ranks = {tuple(np.argsort(row[0].ravel(), kind="stable")): row for row in arrays["x"]}
    return np.stack([ranks[tuple(np.argsort(row[0].ravel(), kind="stable"))] for row in task.train.x])


def _mean(task: Task, arrays: dict[str, np.ndarray]) -> np.ndarray:
    return _train_rows(task, arrays).mean(axis=(0, 2, 3))[:, None, None]


def _std(task: Task, arrays: dict[str, np.ndarray]) -> np.ndarray:
    return _train_rows(task, arrays).std(axis=(0, 2, 3))[:, None, None]


def test_official_test_part_is_used(tmp_path: Path) -> None:
    path, _ = save_images(tmp_path, official=True)
    task = load_task(spec(path))
    assert (len(task.train), len(task.validation)) == (48, 12)
    assert len(open_test(spec(path), opening=1)) == 9


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "number": 1e6 + rng.permutation(200) + 0.5,
            "word": [f"secret-{row:04d}" for row in rng.permutation(200)],
            "y": rng.integers(0, 2, 200),
        }
    )
    frame.loc[3, "number"] = np.nan
    frame.to_csv(tmp_path / "table.csv", index=False)
    return tmp_path / "table.csv"


def test_nothing_in_a_task_leads_to_test_rows(table: Path) -> None:
    test = open_test(spec(table), opening=1)
    task = load_task(spec(table))
    secrets = [word.encode() for word in test.x["word"]]
    assert len(secrets) == 40
    found = pickle.dumps(task)
    assert b"secret-" in found
    assert not [word for word in secrets if word in found]
    numbers = {value for value in test.x["number"] if value == value}
    words = set(test.x["word"])
    for thing in _reachable(task):
        if isinstance(thing, str):
            assert thing not in words
        if isinstance(thing, np.ndarray):
            assert thing.base is None or len(thing) <= len(task.train)
            if thing.dtype.kind == "f":
                assert not numbers & set(thing.ravel().tolist())


def _reachable(root: object) -> Iterable[Any]:
    """Everything that attributes, containers and array bases lead to, code and modules aside."""
    seen, todo = {}, [root]
    while todo:
        thing = todo.pop()
        if id(thing) in seen or isinstance(thing, ModuleType | type) or callable(thing):
            continue
        seen[id(thing)] = thing
        todo += gc.get_referents(thing)
        if isinstance(thing, np.ndarray) and thing.base is not None:
            todo.append(thing.base)
        if hasattr(thing, "to_pylist"):
            todo += thing.to_pylist()
    return seen.values()


def test_images_of_a_task_own_their_memory(tmp_path: Path) -> None:
    path, _ = save_images(tmp_path)
    task, test = load_task(spec(path)), open_test(spec(path), opening=1)
    for part in (task.train, task.validation):
        assert part.x.base is None and part.y.base is None
        assert not rows_of(part.x) & rows_of(test.x)
    assert not rows_of(task.train.x) & rows_of(task.validation.x)


def test_digest_covers_data_and_split(tmp_path: Path, table: Path) -> None:
    path, arrays = save_images(tmp_path, official=True)
    digests = [load_task(spec(path)).digest]
    assert load_task(spec(path)).digest == digests[0]
    digests.append(load_task(spec(path, split={"validation": 0.2, "test": 0.2, "seed": 1})).digest)
    digests.append(load_task(spec(path, split={"validation": 0.3, "test": 0.2, "seed": 0})).digest)
    arrays["x_test"][0, 0, 0, 0] ^= 1
    np.savez(path, **arrays)
    digests.append(load_task(spec(path)).digest)
    digests.append(load_task(spec(table)).digest)
    table.write_text(table.read_text().replace("secret-0001", "secret-000l"))
    digests.append(load_task(spec(table)).digest)
    assert len(set(digests)) == len(digests)
    assert all(len(digest) == 64 for digest in digests)


def test_a_trial_cannot_change_the_next_ones_data(tmp_path: Path, table: Path) -> None:
    path, _ = save_images(tmp_path)
    with pytest.raises(ValueError, match="read-only"):
        load_task(spec(path)).train.x[0] = 0
    task = load_task(spec(table))
    task.train.x["number"] = 0.0
    assert (load_task(spec(table)).train.x["number"] != 0).all()


def test_tables_stay_frames(table: Path) -> None:
    task = load_task(spec(table))
    assert list(task.train.x.columns) == ["number", "word"]
    assert task.shape == (2,)
    assert list(task.train.x.index) == list(range(len(task.train)))


def test_nothing_held_out_cannot_be_opened(table: Path) -> None:
    split = {"validation": 0.2, "test": 0, "seed": 0}
    assert len(load_task(spec(table, split=split)).train) == 160
    with pytest.raises(UserError, match="a test set must be held out to be opened"):
        open_test(spec(table, split=split), opening=1)


def test_an_opening_must_be_recorded_first(table: Path) -> None:
    with pytest.raises(ValueError, match="recorded before"):
        open_test(spec(table), opening=0)


def test_a_study_without_data() -> None:
    with pytest.raises(UserError, match="needs a dataset"):
        load_task({"dataset": None, "metrics": [{"name": "loss", "direction": "minimize"}]})


@pytest.mark.parametrize("official", [False, True])
def test_after_an_opening_all_rows_are_trained_on(tmp_path: Path, official: bool) -> None:
    path, arrays = save_images(tmp_path, official=official)
    task, whole = load_task(spec(path)), load_task(spec(path, refit={"opening": 3}))
    assert len(whole.train) == len(arrays["x"]) + len(arrays.get("x_test", ()))
    test = open_test(spec(path), opening=3)
    assert rows_of(whole.train.x) == rows_of(task.train.x) | rows_of(task.validation.x) | rows_of(test.x)
    assert len({task.digest, whole.digest, load_task(spec(path, refit=True)).digest}) == 3
    with pytest.raises(ValueError, match="the test set must be opened, and that recorded"):
        load_task(spec(path, refit={"opening": 0}))


def test_rows_of_a_table_that_are_all_trained_on_give_its_categories(tmp_path: Path) -> None:
    lines = [f"{n},{'a' if n < 59 else 'once'},{n % 2}" for n in range(60)]
    (tmp_path / "rows.csv").write_text("\n".join(["x,word,target", *lines]))
    whole = load_task(spec(str(tmp_path / "rows.csv"), refit={"opening": 1}))
    assert whole.reading is not None and len(whole.train) == 60
    (word,) = [column for column in whole.reading.columns if column.name == "word"]
    assert set(word.known or ()) == {"a", "once"}
