"""What `automl check` found out about data is kept until something it depends on changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from automl.cli import checked
from automl.config import load_study, resolve
from automl.data.parts import load_parts
from automl.data.summary import Summary, summarise

STUDY = """
name: kept
task: {dataset: kept.csv, target: class, metric: accuracy}
space: tabular
evaluator: {pipeline: {folds: 2}}
budget: {trials: 2}
seeds: 1
executor: local
final: {seeds: 0}
"""


@pytest.fixture
def study(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(workspace / "cache"))
    monkeypatch.setattr(checked, "LARGE", 0)
    rows = [f"{number * 7 % 40},{'ab'[number % 2]},{number % 5} %" for number in range(40)]
    (workspace / "kept.csv").write_text("\n".join(["size,class,share", *rows]))
    (workspace / "kept.yaml").write_text(STUDY)
    return workspace / "kept.yaml"


def looked(study: Path) -> tuple[Summary, bool]:
    """The summary, and whether the data were read for it."""
    resolved, read = resolve(load_study(study)), list[int]()

    def look() -> Summary:
        read.append(1)
        return summarise(load_parts(resolved.study.task.model_dump(mode="json"), [str(study.parent)]))

    return checked.summary_of(resolved, look), bool(read)


def test_unchanged_data_are_read_once(study: Path) -> None:
    first, second = looked(study), looked(study)
    assert first == (second[0], True) and second[1] is False
    assert second[0].columns and second[0].notes and second[0].lines() == first[0].lines()


def edit(name: str, before: str, after: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        text = (folder / name).read_text()
        assert before in text
        (folder / name).write_text(text.replace(before, after))

    return change


def damage(folder: Path) -> None:
    for file in folder.glob("cache/automl/checks/*.json"):
        file.write_text(file.read_text()[:40])


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        edit("kept.csv", "7,b", "8,b"),
        edit("kept.csv", "%", "$"),
        edit("kept.yaml", "folds: 2", "folds: 3"),
        edit("kept.yaml", "target: class", "target: class, columns: {drop: [share]}"),
        damage,
    ],
)
def test_a_change_makes_them_read_again(study: Path, change: Callable[[Path], None]) -> None:
    looked(study)
    change(study.parent)
    again = looked(study)
    assert again[1]
    assert looked(study) == (again[0], False)


def test_small_data_and_data_that_are_no_files_are_not_kept(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checked, "LARGE", 1 << 20)
    assert looked(study)[1] and looked(study)[1]
    monkeypatch.setattr(checked, "LARGE", 0)
    edit("kept.yaml", "dataset: kept.csv, target: class", "dataset: wine")(study.parent)
    assert looked(study)[1] and looked(study)[1]
    assert not (study.parent / "cache").exists()


@pytest.mark.slow
def test_what_is_refused_is_not_kept(study: Path) -> None:
    resolved = resolve(load_study(study))

    def refuse() -> Summary:
        raise ValueError("no good")

    for _ in range(2):
        with pytest.raises(ValueError, match="no good"):
            checked.summary_of(resolved, refuse)


def test_a_folder_that_cannot_be_written_costs_only_time(study: Path) -> None:
    (study.parent / "cache").write_text("a file, no folder")
    assert looked(study)[1] and looked(study)[1]


@pytest.mark.slow
def test_the_oldest_go_first(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checked, "MOST", 2)
    for folds in (3, 4, 5):
        edit("kept.yaml", f"folds: {folds - 1}", f"folds: {folds}")(study.parent)
        looked(study)
    assert len(list(study.parent.glob("cache/automl/checks/*"))) == 2
    assert not looked(study)[1]
