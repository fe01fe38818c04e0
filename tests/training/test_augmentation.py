"""Shifts, crops, flips, cutout: every image is one of the copies that it may be."""

from __future__ import annotations

import pytest
import torch

from automl.training.augmentation import Augmentation, augment, augmentation


def copies(side: int, reach: int, border: str, flips: tuple[bool, ...]) -> tuple[torch.Tensor, list]:
    """Two images, and for each all its moved copies."""
    x = torch.arange(1, 2 * 3 * side * side + 1, dtype=torch.float32).reshape(2, 3, side, side)
    padded = torch.nn.functional.pad(x, (reach,) * 4, mode=border)
    places = [(i, j, flip) for i in range(2 * reach + 1) for j in range(2 * reach + 1) for flip in flips]
    found = [
        {(i, j, f): (c.flip(2) if f else c) for i, j, f in places for c in [s[:, i : i + side, j : j + side]]}
        for s in padded
    ]
    return x, found


@pytest.mark.parametrize(
    ("mode", "padding", "reach", "border", "flips"),
    [
        ("shift", None, 2, "replicate", (False,)),
        ("shift_flip", None, 2, "replicate", (False, True)),
        ("shift", 1, 1, "replicate", (False,)),
        ("crop", None, 2, "constant", (False,)),
        ("crop_flip", 4, 4, "constant", (False, True)),
        ("flip", None, 0, "constant", (False, True)),
    ],
)
def test_images_are_moved_copies(
    mode: Augmentation, padding: int | None, reach: int, border: str, flips: tuple[bool, ...]
) -> None:
    x, possible = copies(16, reach, border, flips)
    torch.manual_seed(0)
    seen = set()
    for _ in range(60):
        for image, of_source in zip(augment(x, mode, padding=padding), possible, strict=True):
            found = [key for key, copy in of_source.items() if torch.equal(copy, image)]
            assert len(found) == 1
            seen.update(found)
    # 120 draws of at least 9 equally likely shifts in a direction pair: P(a third are never drawn) < 1e-6
    assert len({key[:2] for key in seen}) >= (2 * reach + 1) ** 2 * 0.6
    assert {key[2] for key in seen} == set(flips)


@pytest.mark.parametrize(
    ("shape", "expected"), [((1, 8, 16), "none"), ((1, 16, 16), "shift"), ((3, 32, 32), "shift_flip")]
)
def test_auto(shape: tuple[int, ...], expected: str) -> None:
    assert augmentation("auto", shape) == expected
    assert augmentation("none", shape) == "none"


@pytest.mark.parametrize("length", [3, 4])
def test_cutout_blanks_one_square_around_any_pixel(length: int) -> None:
    torch.manual_seed(0)
    height, width = 7, 6
    x = torch.ones(2000, 3, height, width).contiguous(memory_format=torch.channels_last)
    cut = augment(x, "none", cutout=length)
    assert cut.is_contiguous(memory_format=torch.channels_last)
    blank = cut[:, 0] == 0
    assert torch.equal(cut[:, 1], cut[:, 0]) and set(cut.unique().tolist()) == {0, 1}
    centres = set()
    for mask in blank:
        rows, columns = mask.any(1).nonzero().flatten().tolist(), mask.any(0).nonzero().flatten().tolist()
        assert torch.equal(mask, mask.any(1)[:, None] & mask.any(0)[None])
        centres.add((rows[0], rows[-1], columns[0], columns[-1]))
    expected = set()
    for row in range(height):
        for column in range(width):
            top, left = row - length // 2, column - length // 2
            bottom, right = min(top + length, height) - 1, min(left + length, width) - 1
            expected.add((max(top, 0), bottom, max(left, 0), right))
    # 42 equally likely centres, 2,000 draws: P(one is never drawn) < 42 · exp(-2000/42) < 1e-18
    assert centres == expected


def test_nothing_is_drawn_when_all_is_off() -> None:
    x = torch.randn(4, 1, 8, 8)
    before = torch.get_rng_state()
    assert augment(x, "none") is x
    assert torch.equal(before, torch.get_rng_state())
