"""A test set from a file of its own: read as the dataset was, or refused with what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from table_examples import ROWS, csv, plain

from automl.contracts import TaskSpec, UserError
from automl.data import load_task
from automl.data.dataset import Dataset
from automl.data.parts import Parts, load_parts
from automl.data.reading import parsed
from automl.data.sealed import open_test
from automl.data.sources import read

TOWNS = {"id": [f"r{row}" for row in range(ROWS)], "town": [("Ulm", "Bonn")[row % 2] for row in range(ROWS)]}
NEW = {"x1": [9.5, 8.5, 7.5], "town": ["Ulm", "Rome", ""], "x2": [1, 2, 3], "y": [0, 1, 1]}


def spec(
    folder: Path, held: dict[str, Any], table: dict[str, Any] | None = None, **task: Any
) -> dict[str, Any]:
    """A task whose test set is a file with the columns `held`."""
    files = {"a.csv": plain(**TOWNS) if table is None else table, "held.csv": held}
    for name, columns in files.items():
        (folder / name).write_text(csv(columns))
    paths = {"dataset": str(folder / "a.csv"), "test": str(folder / "held.csv")}
    return {**paths, "target": "y", "metrics": [{"name": "accuracy"}], **task}


def dataset(found: dict[str, Any]) -> Dataset:
    metrics = [{"name": "accuracy", "direction": "maximize"}]
    return read(TaskSpec.from_json({**found, "metrics": metrics}), [])


def parts(found: dict[str, Any]) -> Parts:
    return load_parts(found, [])


def test_all_rows_of_the_dataset_are_searched_and_the_file_is_the_test(tmp_path: Path) -> None:
    task = spec(tmp_path, NEW)
    found = parts(task)
    assert (len(found.rows.train), len(found.rows.validation), found.tested) == (32, 8, 3)
    held = open_test(task, [], opening=1)
    assert held.x["x1"].tolist() == [9.5, 8.5, 7.5] and held.x["x2"].tolist() == [1, 2, 3]
    assert list(held.x.columns) == list(found.dataset.x.columns) and held.y.tolist() == [0, 1, 1]
    known = load_task(task)
    assert known.rows == ROWS + 3 and not np.isin([9.5, 8.5, 7.5], [*known.train.x["x1"]]).any()
    told = [note for note in known.notes if note.startswith("held.csv: ")]
    assert len(told) == 1 and "'town' has new categories" in told[0] and "Rome" in told[0]


def test_a_refit_has_the_rows_of_both_files(tmp_path: Path) -> None:
    task = {**spec(tmp_path, NEW), "refit": {"opening": 1}}
    assert len(load_task(task).train) == ROWS + 3


def test_another_file_is_other_data(tmp_path: Path) -> None:
    before = load_task(spec(tmp_path, NEW)).digest
    assert load_task(spec(tmp_path, NEW)).digest == before
    assert load_task(spec(tmp_path, {**NEW, "y": [1, 1, 1]})).digest != before
    assert load_task({**spec(tmp_path, NEW), "test": None}).digest != before


def test_rows_of_both_files_are_told(tmp_path: Path) -> None:
    first = {name: list(values[:3]) for name, values in plain(**TOWNS).items()}
    first["y"] = [first["y"][0], first["y"][1], 1 - first["y"][2]]
    notes = dataset(spec(tmp_path, first)).notes
    assert any("held.csv: 3 of 3 rows have the features" in one and "2 of them" in one for one in notes)
    assert not any("have the features of" in one for one in dataset(spec(tmp_path, NEW)).notes)


def test_groups_of_both_files_are_told(tmp_path: Path) -> None:
    who = {"who": [f"w{row % 8}" for row in range(ROWS)]}
    held = {**NEW, "who": ["w3", "w9", "w9"]}
    split = {"split": {"validation": 0.2, "group": "who"}}
    task = spec(tmp_path, held, plain(**TOWNS, **who), **split)
    assert any(
        "1 of 2 values of 'who' are in the dataset too, such as 'w3'" in one for one in dataset(task).notes
    )
    groups = open_test(task, [], opening=1).groups
    assert groups is not None and groups.tolist() == [0, 1, 1]
    alone = dataset(spec(tmp_path, NEW, plain(**TOWNS, **who), **split))
    assert any("there is no column 'who'" in one for one in alone.notes)
    assert alone.test is not None and alone.test.groups is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"town": None},
            r"held\.csv must have rows like those of the dataset \(task\.test\): .*'town' is missing",
        ),
        ({"y": None}, r"the target 'y' is missing, by which it is scored"),
        ({"y": [0, "", 1]}, r"1 of 3 have none, the first one is row 2"),
        ({"x2": [1, "big", 3]}, r"'x2' must hold numbers.*row 2 has 'big'"),
        ({"y": [0, 1, 5]}, r"each class of the test part must have rows to learn from.*lack 5"),
    ],
)
def test_what_cannot_be_tested_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    held = {name: values for name, values in {**NEW, **change}.items() if values is not None}
    with pytest.raises(UserError, match=message):
        parts(spec(tmp_path, held))


def test_whole_numbers_and_texts_are_the_classes_of_the_dataset(tmp_path: Path) -> None:
    table = plain(**TOWNS)
    number = parts(spec(tmp_path, {**NEW, "y": ["0.0", "1.0", "1"]}))
    assert number.labels == ("0", "1") and number.dataset.test is not None
    words = {**table, "y": [("no", "yes")[one] for one in table["y"]]}
    found = parts(spec(tmp_path, {**NEW, "y": ["yes", "no", "yes"]}, words))
    assert found.dataset.test is not None and found.dataset.test.y.tolist() == [1, 0, 1]


def test_other_data_have_no_test_file(tmp_path: Path) -> None:
    task = spec(tmp_path, NEW)
    with pytest.raises(UserError, match=r"task\.target, task\.test must fit the data|task\.test"):
        parts({**task, "dataset": "iris", "target": None})
    (tmp_path / "held.npz").write_bytes(b"")
    with pytest.raises(UserError, match=r"task\.test must be a table whose name ends in"):
        parts({**task, "test": str(tmp_path / "held.npz")})
    with pytest.raises(UserError, match=r"correct task\.test"):
        parts({**task, "test": str(tmp_path / "absent.csv")})


def test_a_large_file_is_kept_as_it_was_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOML_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(parsed, "LEAST", 1)
    task = spec(
        tmp_path, {**NEW, "who": ["a", "b", "b"]}, plain(**TOWNS, who=TOWNS["id"]), split={"group": "who"}
    )
    first, second = dataset(task), dataset(task)
    assert first.test is not None and second.test is not None and first.notes == second.notes
    pd.testing.assert_frame_equal(first.test.x, second.test.x, check_dtype=False)
    assert first.group_names == second.group_names and second.answer == first.answer
    other = {**task, "columns": {"categorical": ["x2"], "keep": ["x2"]}}
    again = dataset(other).test
    assert again is not None and again.x["x2"].tolist() == ["1", "2", "3"], "how the dataset is read decides"
