"""Tables that a query gives: a study's rows and new rows, read and never changed."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from table_examples import ROWS, plain

from automl.config import load_study
from automl.contracts import ReadSpec, TaskSpec, UserError
from automl.data import sources
from automl.data.dataset import Dataset
from automl.export.predicting import read_rows, row_parts

FRAME = pd.DataFrame(
    {
        "id": range(ROWS),
        **plain(),
        "town": [None if row % 7 == 0 else ("Ulm", "a:b")[row % 2] for row in range(ROWS)],
        "when": [f"2024-01-{1 + row % 28:02}" for row in range(ROWS)],
    }
)
QUERY = "SELECT * FROM rows ORDER BY id"
STUDY = """
name: rows
task: {dataset: "sqlite:///rows.db", target: y, metric: f1, read: {query: SELECT * FROM rows ORDER BY 1}}
space: tabular
evaluator: {pipeline: {folds: 2}}
budget: {trials: 1}
arms: {random: {strategy: random}}
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    connection = sqlite3.connect(tmp_path / "rows.db")
    FRAME.to_sql("rows", connection, index=False)
    connection.close()
    return f"sqlite:///{tmp_path / 'rows.db'}"


def dataset(url: str, query: str | None = QUERY, **read: Any) -> Dataset:
    spec = {"dataset": url, "target": "y", "metrics": [{"name": "own", "direction": "maximize"}]}
    return sources.read(TaskSpec.from_json({**spec, "read": {"query": query, **read}}), [])


def test_a_query_is_a_table(url: str) -> None:
    found = dataset(url)
    assert list(found.x["x1"]) == list(FRAME["x1"]) and found.x["town"].isna().sum() == 6
    assert set(found.x["town"].dropna()) == {"Ulm", "a:b"} and "when_day" in found.x and "id" not in found.x
    some = dataset(url, "SELECT x1, y FROM rows WHERE town = 'a:b' OR town LIKE 'U%' ORDER BY id")
    assert list(some.x) == ["x1"] and len(some.y) == ROWS - 6
    assert sources.stamp([url], []) is None and sources.files(url, []) == []


def test_a_study_names_a_database_beside_it(url: str, tmp_path: Path) -> None:
    (tmp_path / "rows.yaml").write_text(STUDY)
    assert load_study(tmp_path / "rows.yaml").task.dataset == url
    for wrong, message in (
        ("sqlite:///no.db", "must name a database that exists, but there is none at"),
        ("postgresql://me:secret@host/db", r"must hold no password, but postgresql://me:\*\*\*@host/db does"),
    ):
        (tmp_path / "rows.yaml").write_text(STUDY.replace("sqlite:///rows.db", wrong))
        with pytest.raises(UserError, match=message):
            load_study(tmp_path / "rows.yaml")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (None, r"task\.read\.query is not set; write it"),
        ("SELECT * FROM rows", "must say in which order rows come"),
        ("DROP TABLE rows -- ORDER BY", "a query must read: it begins with SELECT or WITH"),
        ("SELECT * FROM other ORDER BY id", "must be one that .* answers, but: no such table: other"),
        ("SELECT * FROM rows WHERE id < 0 ORDER BY id", "must have rows, but the query has none"),
        ("SELECT x1, x1, y FROM rows ORDER BY id", "'x1' more than once"),
    ],
)
def test_a_query_that_gives_no_table_is_refused(url: str, query: str | None, message: str) -> None:
    with pytest.raises(UserError, match=message):
        dataset(url, query)


def test_keys_and_drivers_are_told(url: str) -> None:
    with pytest.raises(UserError, match=r"task\.read\.quote must fit the data"):
        dataset(url, quote="'")
    with pytest.raises(UserError, match=r"a database must have its driver, but oracle://host/x: "):
        dataset("oracle://host/x")


def test_new_rows_come_in_parts(url: str) -> None:
    parts = [frame for frame, _ in row_parts(url, ReadSpec(), "SELECT x1, town FROM rows", 7)]
    assert [len(part) for part in parts] == [7] * 5 + [5] and list(parts[-1].index)[-1] == ROWS - 1
    whole, notes = read_rows(url, ReadSpec(), "SELECT x1, town FROM rows")
    pd.testing.assert_frame_equal(whole, pd.concat(parts))
    assert notes == []
    for source, query in ((url, None), ("rows.csv", QUERY)):
        with pytest.raises(UserError, match="--query must come with the address of a database"):
            next(row_parts(source, ReadSpec(), query))
