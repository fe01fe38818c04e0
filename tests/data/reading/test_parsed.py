"""A large table is parsed once on a node, and what is kept is what was read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from automl.contracts import ReadSpec, TaskSpec, UserError
from automl.data.dataset import Dataset
from automl.data.reading import parsed, read


def task_of(**keys: object) -> TaskSpec:
    return TaskSpec.from_json({"metrics": [{"name": "accuracy", "direction": "maximize"}], **keys})


TASK = task_of(target="y")


def write(folder: Path, rows: int = 60) -> Path:
    """Numbers, whole ones, texts with missing cells, dates, lists and an index, beside a target of texts."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "id": range(rows),
            "x": rng.normal(size=rows).round(3),
            "n": rng.integers(0, 50, rows),
            "c": rng.choice(["a", "bé", ""], rows),
            "d": pd.date_range("2020-01-01", periods=rows).astype(str),
            "l": rng.choice(["red;blue", "blue", "red;green", "green;blue"], rows),
            "g": rng.integers(0, 9, rows),
            "y": rng.choice(["no", "yes"], rows),
        }
    )
    table.loc[3, "x"] = np.nan
    table.to_csv(folder / "t.csv", index=False)
    return folder / "t.csv"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AUTOML_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(parsed, "LEAST", 1)
    return tmp_path / "cache" / "files"


def entries(cache: Path) -> list[str]:
    return [path.name for path in cache.iterdir() if path.is_dir()] if cache.is_dir() else []


def require_equal(one: Dataset, other: Dataset) -> None:
    pd.testing.assert_frame_equal(one.x, other.x, check_exact=True)
    assert [column.dtype for _, column in one.x.items()] == [column.dtype for _, column in other.x.items()]
    for name in ("y", "groups", "order"):
        mine, theirs = getattr(one, name), getattr(other, name)
        assert (mine is None) == (theirs is None)
        if mine is not None:
            assert mine.dtype == theirs.dtype and mine.tolist() == theirs.tolist()
    for name in ("kind", "notes", "columns", "target", "reading", "classes", "test"):
        assert getattr(one, name) == getattr(other, name)


@pytest.mark.parametrize("split", [{}, {"group": "g"}, {"time": "d"}], ids=["plain", "group", "time"])
def test_what_is_kept_is_what_was_read(cache: Path, tmp_path: Path, split: dict[str, str]) -> None:
    path, task = write(tmp_path), task_of(target="y", split=split)
    with pytest.MonkeyPatch.context() as small:
        small.setattr(parsed, "LEAST", 10**9)
        plain = read(path, task)
    assert entries(cache) == []
    first, again = read(path, task), read(path, task)
    assert len(entries(cache)) == 1
    require_equal(first, plain)
    require_equal(again, plain)


def test_it_is_made_once(cache: Path, tmp_path: Path) -> None:
    path, calls = write(tmp_path), []

    def make() -> Dataset:
        calls.append(1)
        return Dataset(pd.DataFrame({"x": [1.0, np.nan]}), np.array([0, 1]), "table")

    for _ in range(3):
        found = parsed.read_once(path, TASK, make)
    assert len(calls) == 1
    assert found.x["x"].isna().tolist() == [False, True] and found.reading is None


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_text(path.read_text().replace("yes", "aye")),
        lambda path: path.rename(path.with_name("other.csv")),
    ],
    ids=["content", "name"],
)
def test_another_file_is_read_anew(cache: Path, tmp_path: Path, change: object) -> None:
    path = write(tmp_path)
    read(path, TASK)
    change(path)  # type: ignore[operator]
    read(next(tmp_path.glob("*.csv")), TASK)
    assert len(entries(cache)) == 2


def test_another_way_of_reading_is_read_anew(cache: Path, tmp_path: Path) -> None:
    path = write(tmp_path)
    plain = read(path, TASK)
    dropped = read(path, task_of(target="y", columns={"drop": ["x"]}))
    missing = read(path, TASK.model_copy(update={"read": ReadSpec(missing=["a"])}))
    other = read(path, task_of(target="n"))
    assert len(entries(cache)) == 4
    assert "x" in plain.x and "x" not in dropped.x
    assert missing.x["c"].isna().sum() > plain.x["c"].isna().sum()
    assert other.target == "n"


def test_a_damaged_one_is_made_again(cache: Path, tmp_path: Path) -> None:
    path = write(tmp_path)
    plain = read(path, TASK)
    (entry,) = entries(cache)
    (cache / entry / "features.arrow").write_bytes(b"broken")
    require_equal(read(path, TASK), plain)
    assert (cache / entry / "features.arrow").stat().st_size > 100


def test_a_cache_that_cannot_be_written_is_told_and_done_without(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AUTOML_CACHE", str(tmp_path / "file"))
    assert len(read(path, TASK).y) == 60
    assert "is read anew by each process" in caplog.text


def test_cells_of_other_kinds_are_told_and_not_kept(
    cache: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    odd = Dataset(pd.DataFrame({"x": [True, False]}), np.array([0, 1]), "table")
    assert parsed.read_once(write(tmp_path), TASK, lambda: odd) is odd
    assert entries(cache) == [] and "neither numbers nor texts" in caplog.text


def test_what_is_wrong_with_a_file_is_said_each_time(cache: Path, tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(UserError, match="must name a column"):
            read(write(tmp_path), task_of(target="z"))
    assert entries(cache) == []


def test_small_files_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOML_CACHE", str(tmp_path / "cache"))
    read(write(tmp_path), TASK)
    assert not (tmp_path / "cache").exists()
