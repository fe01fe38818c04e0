"""Random changes of training images: shifts, crops, flips, cutout."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import pad

Augmentation = Literal["none", "flip", "shift", "shift_flip", "crop", "crop_flip"]


def augmentation(mode: Literal["auto"] | Augmentation, shape: tuple[int, ...]) -> Augmentation:
    """What `auto` means for images of `shape` (C, H, W): shifts from 16×16 on, flips where there is colour.

    Smaller images are cut to their object: on 8×8 digits, shifts cost two points of accuracy.
    """
    if mode != "auto":
        return mode
    channels, height, width = shape
    if min(height, width) < 16:
        return "none"
    return "shift_flip" if channels == 3 else "shift"


def augment(x: Tensor, mode: Augmentation, *, padding: int | None = None, cutout: int = 0) -> Tensor:
    """Images `x` (n, C, H, W) changed at random, each in its own way.

    `shift` and `crop` move an image by up to `padding` pixels (by default an eighth of its side) in each
    direction; `shift` fills in the border's pixels, `crop` zeros, the mean of standardised images. `flip`
    mirrors half of the images left to right. `cutout`: see `blank_square`.
    """
    if mode != "none":
        x = _moved(x, mode, padding)
    return blank_square(x, cutout) if cutout else x


def _moved(x: Tensor, mode: Augmentation, padding: int | None) -> Tensor:
    count, _, height, width = x.shape
    reach = 0 if mode == "flip" else padding or max(1, min(height, width) // 8)
    padded = pad(x, (reach,) * 4, mode="constant" if mode.startswith("crop") else "replicate")
    start = torch.randint(2 * reach + 1, (2, count, 1)).to(x.device)
    rows = start[0] + torch.arange(height, device=x.device)
    columns = start[1] + torch.arange(width, device=x.device)
    if mode.endswith("flip"):
        columns = torch.where((torch.rand(count, 1) < 0.5).to(x.device), columns.flip(1), columns)
    images = torch.arange(count, device=x.device)[:, None, None]
    # advanced indices on dimensions 0, 2, 3 give (n, H, W, C): channels-last without a copy
    return padded[images, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def blank_square(x: Tensor, length: int) -> Tensor:
    """Cutout (DeVries & Taylor 2017, arXiv:1708.04552): zeros in a square of side `length` in every image.

    Its centre is any pixel of the image, so that the square may lie partly outside.
    """
    count, _, height, width = x.shape
    inside = []
    for side in (height, width):
        first = torch.randint(side, (count, 1)).to(x.device) - length // 2
        places = torch.arange(side, device=x.device) - first
        inside.append((places >= 0) & (places < length))
    blank = (inside[0][:, :, None] & inside[1][:, None, :])[:, None]
    return torch.where(blank, 0, x).contiguous(memory_format=torch.channels_last)
