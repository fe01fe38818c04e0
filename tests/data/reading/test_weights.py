"""Weights of rows: read of a column that is no feature, in every part with its rows, or refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from table_examples import ROWS, csv, plain

from automl.contracts import Split, TaskSpec, UserError
from automl.data import load_task
from automl.data.dataset import Dataset, check_dataset
from automl.data.parts import load_parts, split_dataset
from automl.data.reading import parsed
from automl.data.sources import read

COUNTS = [row % 5 + 0.25 for row in range(ROWS)]
METRICS = [{"name": "accuracy", "direction": "maximize"}]


def spec(folder: Path, weights: list[Any] = COUNTS, **task: Any) -> dict[str, Any]:
    """A task of a table whose feature `x1` is unique for each row."""
    (folder / "a.csv").write_text(csv(plain(count=weights)))
    own = {"dataset": str(folder / "a.csv"), "target": "y", "weights": "count", "metrics": METRICS}
    return {**own, **task}


def by_row(split: Split) -> dict[float, float]:
    assert split.weights is not None
    return dict(zip(split.x["x1"].tolist(), split.weights.tolist(), strict=True))


def test_each_row_keeps_its_weight_in_every_part(tmp_path: Path) -> None:
    found, task = load_parts(spec(tmp_path), []), load_task(spec(tmp_path))
    right = dict(zip(plain()["x1"], COUNTS, strict=True))
    assert {**by_row(task.train), **by_row(task.validation)}.items() <= right.items()
    assert list(task.train.x.columns) == ["x1", "x2"], "the weights are no feature"
    (column,) = [one for one in found.dataset.columns if one.name == "count"]
    assert column.unused == "task.weights"
    assert load_task({**spec(tmp_path), "refit": {"opening": 1}}).train.weights.sum() == sum(COUNTS)  # type: ignore[union-attr]


def test_other_weights_are_other_data(tmp_path: Path) -> None:
    first = load_task(spec(tmp_path)).digest
    assert load_task(spec(tmp_path)).digest == first
    assert load_task(spec(tmp_path, [2.0] * ROWS)).digest != first
    without = TaskSpec.from_json({**spec(tmp_path), "weights": None}).model_dump(mode="json")
    assert "weights" not in without, "studies without them keep their digest"


def test_the_rows_of_a_test_file_have_weights_too(tmp_path: Path) -> None:
    held = {"x1": [9.5, 8.5], "x2": [1, 2], "y": [0, 1], "count": [7, 0]}
    (tmp_path / "held.csv").write_text(csv(held))
    task = spec(tmp_path, test=str(tmp_path / "held.csv"), refit={"opening": 1})
    train = load_task(task).train
    assert train.weights is not None and train.weights.tolist() == [*COUNTS, 7, 0]
    (tmp_path / "held.csv").write_text(csv({name: held[name] for name in ("x1", "x2", "y")}))
    with pytest.raises(UserError, match=r"held.csv must have rows like .*task.weights must name a column"):
        load_task(task)
    (tmp_path / "held.csv").write_text(csv({**held, "count": [1, -2]}))
    with pytest.raises(UserError, match=r"'count' \(task.weights\) is -2 in row 2"):
        load_task(task)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1] * (ROWS - 1) + [-0.5], rf"'count' \(task.weights\) is -0.5 in row {ROWS}, and 1 of {ROWS} rows"),
        ([""] + [1] * (ROWS - 1), r"'count' \(task.weights\) is empty in row 1"),
        ([0] * ROWS, r"some rows must count, but all weights 'count' \(task.weights\) are zero"),
        (["few", "many"] * (ROWS // 2), r"weights must be numbers, but 'count' \(task.weights\) is category"),
    ],
)
def test_what_is_no_weight_is_refused(tmp_path: Path, weights: list[Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_parts(spec(tmp_path, weights), [])


def test_a_column_that_is_not_there_or_the_target_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"task.weights must name a column of the table, but there is no 'w'"):
        load_parts({**spec(tmp_path), "weights": "w"}, [])
    with pytest.raises(UserError, match="another column than the target, but both are 'y'"):
        load_parts({**spec(tmp_path), "weights": "y"}, [])
    with pytest.raises(UserError, match=r"task.weights must fit the data, but 'digits' is"):
        load_parts({"dataset": "digits", "weights": "w", "metrics": METRICS}, [])


def test_a_large_file_is_kept_with_its_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOML_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(parsed, "LEAST", 1)
    task = TaskSpec.from_json(spec(tmp_path))
    first, again = read(task, []), read(task, [])
    for found in (first, again):
        assert found.weights is not None and found.weights.tolist() == COUNTS
    assert again.weighed == first.weighed is not None
    assert read(TaskSpec.from_json({**spec(tmp_path), "weights": None}), []).weights is None


def test_rare_classes_go_with_their_weights() -> None:
    y = np.array(["a"] * 9 + ["b"] + ["c"] * 9)
    raw = Dataset(pd.DataFrame({"n": np.arange(19.0)}), y, "table", weights=np.arange(19.0))
    task = TaskSpec.from_json({"dataset": "p", "metrics": METRICS, "split": {"rare": "drop"}})
    found = split_dataset(raw, "p", task).dataset
    assert found.weights is not None
    assert found.weights.tolist() == found.x["n"].tolist() == [n for n in range(19) if n != 9]


def test_a_dataset_of_code_has_sound_weights() -> None:
    sound = Dataset(pd.DataFrame({"n": np.arange(3.0)}), np.arange(3), "table", weights=np.ones(3))
    assert check_dataset(sound, "own").weights is not None
    wrong = [np.ones(2), np.array([1.0, np.nan, 1.0]), np.array([1.0, -1.0, 1.0]), np.zeros(3)]
    for weights in wrong:
        with pytest.raises(UserError, match="weights must be"):
            check_dataset(replace(sound, weights=weights), "own")
    images = Dataset(np.zeros((3, 1, 2, 2)), np.arange(3), "image", 3, weights=np.ones(3))
    with pytest.raises(UserError, match="one number for each row of a table"):
        check_dataset(images, "own")
