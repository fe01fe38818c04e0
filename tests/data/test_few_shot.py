"""Parts that share no class, and refusals before any training."""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from automl.contracts import EpisodeSpec, UserError
from automl.data import load_task
from automl.data.datasets.omniglot import omniglot
from automl.data.datasets.omniglot_vinyals import omniglot_vinyals
from automl.data.few_shot import check, check_official, split_classes
from automl.data.sealed import open_test

Y = np.repeat(np.arange(20), 6)


def spec(dataset: str, **episodes: Any) -> dict[str, Any]:
    return {
        "dataset": dataset,
        "metrics": [{"name": "accuracy", "direction": "maximize"}],
        "episodes": episodes,
    }


def classes(rows: np.ndarray) -> set[int]:
    return set(Y[rows].tolist())


def test_parts_share_no_class_and_cover_all() -> None:
    parts = split_classes(Y, None, 0.2, 0.25, seed=3)
    train, valid, test = (classes(rows) for rows in (parts.train, parts.validation, parts.test))
    assert (len(train), len(valid), len(test)) == (11, 4, 5)
    assert train | valid | test == set(range(20))
    again, other = (split_classes(Y, None, 0.2, 0.25, seed=seed) for seed in (3, 4))
    assert classes(again.test) == test != classes(other.test)


def test_official_parts_are_kept_and_validation_comes_from_training() -> None:
    official = np.where(np.arange(20) < 12, 0, 2)
    parts = split_classes(Y, official, 0.2, 0.25, seed=0)
    assert classes(parts.test) == set(range(12, 20))
    assert len(classes(parts.validation)) == 4
    assert classes(parts.train) | classes(parts.validation) == set(range(12))
    official[:3] = 1
    assert classes(split_classes(Y, official, 0.2, 0.25, seed=0).validation) == {0, 1, 2}


def test_a_part_that_is_none_of_the_three_is_refused() -> None:
    with pytest.raises(UserError, match=r"each of its 20 classes one of 0 \(train\)"):
        check_official(np.full(20, 3), 20, "mine")


def test_a_task_numbers_the_classes_of_each_part_from_zero() -> None:
    task = load_task(spec("digits", ways=2, shots=1, queries=5))
    test = open_test(spec("digits", ways=2, shots=1, queries=5), opening=1)
    assert [len(np.unique(part.y)) for part in (task.train, task.validation, test)] == [6, 2, 2]
    assert task.classes == 6
    assert task.validation.y.max() == test.y.max() == 1
    assert task.episodes == EpisodeSpec(ways=2, shots=1, queries=5)


@pytest.mark.parametrize(
    ("dataset", "episodes", "message"),
    [
        (
            "digits",
            {"ways": 5},
            r"at least as many classes as an episode has ways \(5\), but one has 2; lower",
        ),
        ("digits", {"ways": 2, "shots": 100, "queries": 200}, r"shots \+ queries = 300 images, but one has"),
        ("iris", {"ways": 2}, "'iris' is a table; remove task.episodes"),
    ],
)
def test_what_cannot_be_drawn_is_refused(dataset: str, episodes: dict[str, int], message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_task(spec(dataset, **episodes))


def test_images_that_are_turned_are_square() -> None:
    check(Y, (1, 8, 8), EpisodeSpec(queries=5, rotations=True), "image")
    check(Y, (1, 8, 6), EpisodeSpec(queries=5), "image")
    with pytest.raises(UserError, match="square to be turned, but have 8×6 pixels; remove rotations"):
        check(Y, (1, 8, 6), EpisodeSpec(queries=5, rotations=True), "image")


def test_functions_have_points_and_no_ways() -> None:
    metrics = [{"name": "mse", "direction": "minimize"}]
    task = load_task({"dataset": "sinusoids", "metrics": metrics, "episodes": {"shots": 10, "queries": 10}})
    assert (task.kind, task.shape, task.classes) == ("functions", (1,), 0)
    assert task.episodes == EpisodeSpec(ways=0, shots=10, queries=10)
    for episodes, message in (
        (None, "task.episodes is not set for 'sinusoids'"),
        ({"ways": 5}, "functions have no classes, but got ways=5"),
        ({"shots": 30, "queries": 30}, r"shots \+ queries = 60 points, but has 40"),
    ):
        with pytest.raises(UserError, match=message):
            load_task({"dataset": "sinusoids", "metrics": metrics, "episodes": episodes})
    with pytest.raises(UserError, match="accuracy"):
        load_task(spec("sinusoids", shots=5))


def archive(path: Path, characters: list[str]) -> None:
    """An archive as the official ones: 105×105 drawings, black ink on white."""
    with zipfile.ZipFile(path, "w") as file:
        for number, name in enumerate(characters):
            for drawer in (1, 2, 3):
                pixels = np.full((105, 105), 255, np.uint8)
                pixels[10 * number : 10 * number + 8] = 0
                image = BytesIO()
                Image.fromarray(pixels).convert("1").save(image, "PNG")
                file.writestr(f"{path.stem}/{name}/{number:04}_{drawer:02}.png", image.getvalue())


@pytest.fixture
def small_omniglot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "omniglot"
    folder.mkdir()
    archive(folder / "images_background.zip", ["Greek/character01", "Greek/character02", "Latin/character01"])
    archive(folder / "images_evaluation.zip", ["Tifinagh/character01", "Tifinagh/character02"])
    monkeypatch.setenv("AUTOML_DATA", str(tmp_path))
    return folder


def test_omniglot_reads_the_official_archives(small_omniglot: Path) -> None:
    found = omniglot()
    assert found.x.shape == (15, 1, 28, 28)
    assert found.x.dtype == np.uint8
    assert found.parts is not None
    assert found.parts.tolist() == [0, 0, 0, 2, 2]
    first = found.x[0, 0].astype(int)
    assert first[0].min() > 200 > 50 > first[4:].max()  # ink is 255, at the top of the first character
    (small_omniglot / "images_evaluation.zip").write_bytes(b"PK")
    with pytest.raises(UserError, match=r"images_evaluation\.zip must be the official archive, whole"):
        omniglot()


def test_omniglot_takes_the_usual_lists(small_omniglot: Path) -> None:
    lists = {
        "train": ["Greek/character01", "Tifinagh/character02"],
        "val": ["Latin/character01"],
        "test": ["Greek/character02", "Tifinagh/character01"],
    }
    for part, names in lists.items():
        lines = [f"{name}/rot{turn:03}" for name in names for turn in (0, 90, 180, 270)]
        (small_omniglot / f"vinyals_{part}.txt").write_text("\n".join(lines))
    found = omniglot_vinyals()
    assert found.parts is not None
    assert found.parts.tolist() == [0, 2, 1, 2, 0]
    with (small_omniglot / "vinyals_test.txt").open("a") as file:
        file.write("\nLatin/character01/rot000")
    with pytest.raises(UserError, match=r"'Latin/character01' of .* is in two lists"):
        omniglot_vinyals()
