"""The rules of datasets of every source, and the notes of images that hold nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl.contracts import Split, UserError
from automl.data import Dataset
from automl.data.dataset import check_dataset, check_test_classes
from automl.data.pixels import pixel_notes

LABELS = np.arange(12) % 3


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 200, shape).astype(np.uint8)


def test_images_that_hold_nothing_are_told() -> None:
    x = noise(12, 3, 4, 4)
    assert pixel_notes(x, None) == []
    x[[1, 5]] = np.array([7, 8, 9])[:, None, None]
    assert pixel_notes(x, None) == ["2 of 12 images hold one level or colour alone (rows from 0: 1, 5)"]
    x[:, 2] = 255
    assert "channel 2 (from 0) of all images is 255 everywhere" in pixel_notes(x, None)
    x[:] = np.arange(12)[:, None, None, None]
    assert pixel_notes(x, None) == [
        "12 of 12 images hold one level or colour alone (rows from 0: 0, 1, 2, 3, 4 …)"
    ]
    x[:] = 3
    assert pixel_notes(x, x) == [
        "every pixel of all 12 images is 3: nothing can be learnt from them",
        "every pixel of all 12 test images is 3: nothing can be learnt from them",
    ]


def test_a_test_part_of_another_scale_is_told() -> None:
    x = noise(12, 1, 4, 4).astype(float)
    assert pixel_notes(x, x / 2) == []
    for first, second in ((x, x / 255), (x / 255, x), (-x, x * 30)):
        assert "are both scaled alike?" in pixel_notes(first, second)[0]


@pytest.mark.parametrize(
    ("x", "told"),
    [
        (noise(12, 1, 4, 4).astype(np.int64) + 10**9, True),
        (noise(12, 1, 4, 4) / 1e6 - 1e3, True),
        (noise(12, 1, 4, 4) / 1e6, False),
        (noise(12, 1, 4, 4).astype(np.int64) * 10**9, False),
    ],
)
def test_levels_that_32_bits_do_not_keep_are_told(x: np.ndarray, told: bool) -> None:
    assert any("numbers of 32 bits keep few" in note for note in pixel_notes(x, None)) == told


@pytest.mark.parametrize("scale", [1e300, 1e37, -1e300, 1e-300, 1e-40])
def test_pixels_beyond_32_bits_are_refused(scale: float) -> None:
    with pytest.raises(UserError, match=r"to be computed with in 32 bits, but 'mine' .all rows. range from"):
        check_dataset(Dataset(noise(12, 1, 4, 4) * scale, LABELS, "image"), "mine")


def test_the_notes_of_images_follow_those_of_their_reader() -> None:
    dataset = check_dataset(Dataset(np.zeros((12, 1, 4, 4)), LABELS, "image", notes=("read",)), "mine")
    assert dataset.notes[0] == "read" and "nothing can be learnt" in dataset.notes[1]


@pytest.mark.parametrize(
    ("x", "test", "message"),
    [
        (noise(12, 1, 4, 4), noise(12, 3, 4, 4), "must have one shape"),
        (noise(12, 1, 4, 4), noise(12, 1, 4, 5), "the rows and the test rows of 'mine'"),
        (noise(12, 1, 4, 4), noise(12, 1, 4, 4) / 200, "whole numbers, or real ones"),
        (pd.DataFrame({"a": LABELS}), pd.DataFrame({"b": LABELS}), "differ in a, b"),
        (pd.DataFrame({"a": LABELS, "b": 1}), pd.DataFrame({"b": LABELS, "a": 1}), "differ in their order"),
        (pd.DataFrame({"a": LABELS}), pd.DataFrame({"a": ["x"] * 12}), "hold numbers in all parts"),
    ],
)
def test_a_test_part_of_another_kind_is_refused(x: Any, test: Any, message: str) -> None:
    kind = "image" if isinstance(x, np.ndarray) else "table"
    with pytest.raises(UserError, match=message):
        check_dataset(Dataset(x, LABELS, kind, test=Split(test, LABELS)), "mine")


def test_a_column_without_values_fits_any() -> None:
    x, test = pd.DataFrame({"a": LABELS}), pd.DataFrame({"a": [None] * 12})
    assert check_dataset(Dataset(x, LABELS, "table", test=Split(test, LABELS)), "mine").test is not None


def test_images_without_pixels_are_refused() -> None:
    with pytest.raises(UserError, match="must have pixels"):
        check_dataset(Dataset(np.zeros((12, 1, 0, 4)), LABELS, "image"), "mine")


@pytest.mark.parametrize(
    ("y", "tested", "lacking"),
    [
        (LABELS, [0, 1, 3, 4], r"lack 3, 4 \(of 4 classes tested, 3 learnt\)"),
        (np.array(["a", "b"] * 6), np.array(["a", "c"]), "lack c"),
        (np.array(["a", "b"] * 6, object), np.array(["a", "c"], object), "lack c"),
        (LABELS, np.arange(40), "lack 10, 11, 12, 13, 14 …"),
    ],
)
def test_a_class_that_is_only_tested_is_refused(y: Any, tested: Any, lacking: str) -> None:
    test = Split(noise(len(tested), 1, 2, 2), np.asarray(tested))
    dataset = Dataset(noise(12, 1, 2, 2), y, "image", test=test)
    with pytest.raises(UserError, match=lacking):
        check_test_classes(dataset, "mine")
    check_test_classes(Dataset(dataset.x, y, "image", test=Split(test.x[:1], test.y[:1])), "mine")
