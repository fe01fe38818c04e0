"""All images of a folder in one array, which grows in channels when one of them has more."""

from __future__ import annotations

import numpy as np

from automl.data.reading.memory import require_memory

OPAQUE = 255


class Stack:
    """`count` images of one size and one kind of numbers: `pixels` (count, C, H, W).

    An image with colour or transparency gives all others these channels. The first image decides size and
    kind; nothing is taken of one that differs.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.filled = 0
        self.pixels: np.ndarray | None = None

    def add(self, image: np.ndarray) -> None:
        """Take the next image, (H, W, C) with C 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA."""
        if self.pixels is None:
            self.pixels = self._room(image.shape[2], image)
        channels = _both(self.pixels.shape[1], image.shape[2])
        if channels != self.pixels.shape[1]:
            wider = self._room(channels, image)
            for row in range(self.filled):
                wider[row] = _widened(self.pixels[row], channels)
            self.pixels = wider
        self.pixels[self.filled] = _widened(image.transpose(2, 0, 1), channels)
        self.filled += 1

    def _room(self, channels: int, image: np.ndarray) -> np.ndarray:
        height, width = image.shape[:2]
        values = self.count * channels * height * width
        require_memory(
            values * max(4, image.itemsize),  # standardised, they are float32
            f"{self.count:,} images of {height} × {width} pixels and {channels} channels",
            "make them smaller by task.read.size: [height, width]",
        )
        return np.empty((self.count, channels, height, width), image.dtype)


def _both(one: int, other: int) -> int:
    """The channels that hold what images of `one` and of `other` channels show."""
    colour = max(one, other) > 2
    alpha = one % 2 == 0 or other % 2 == 0
    return (3 if colour else 1) + alpha


def _widened(image: np.ndarray, channels: int) -> np.ndarray:
    """`image` (C, H, W) with `channels` channels: grey in all colours, opaque where it has no alpha."""
    if len(image) == channels:
        return image
    wide = np.full((channels, *image.shape[1:]), OPAQUE, image.dtype)
    wide[: 3 if channels > 2 else 1] = image[:3] if len(image) > 2 else image[:1]
    if len(image) % 2 == 0:
        wide[-1] = image[-1]
    return wide
