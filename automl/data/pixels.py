"""What is odd about the pixels of a dataset of images: nothing in them, or another range in the test part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FEW = 5
FINE = 2**18  # levels that numbers of 32 bits surely tell apart between 0 and the largest one
RATIO = 10  # of the largest absolute values, from which two parts look scaled differently


@dataclass(frozen=True)
class _Extent:
    """Smallest and largest pixel of each channel of each image, (n, C)."""

    low: np.ndarray
    high: np.ndarray

    @property
    def largest(self) -> float:
        return float(max(abs(float(self.low.min())), abs(float(self.high.max()))))

    @property
    def range(self) -> float:
        return float(self.high.max()) - float(self.low.min())


def pixel_notes(x: np.ndarray, test: np.ndarray | None) -> list[str]:
    """Images and channels that hold one number only, and a test part of another range; a sentence each.

    `x`, `test`: (n, C, H, W), not empty.
    """
    extent = _extent(x)
    notes = _constant(extent, "images")
    if 0 < extent.range < extent.largest / FINE:
        notes.append(
            f"pixels differ by {extent.range:g} at most, but are as large as {extent.largest:g}: numbers of "
            "32 bits keep few of these levels; subtract what all have in common"
        )
    if test is not None:
        other = _extent(test)
        notes += _constant(other, "test images")
        small, large = sorted((extent.largest, other.largest))
        if large > RATIO * small:
            notes.append(
                f"pixels reach {extent.largest:g}, but those of the test part {other.largest:g}: are both "
                "scaled alike?"
            )
    return notes


def _extent(x: np.ndarray) -> _Extent:
    return _Extent(x.min(axis=(2, 3)), x.max(axis=(2, 3)))


def _constant(extent: _Extent, what: str) -> list[str]:
    low, high = extent.low, extent.high
    if low.min() == high.max():
        return [f"every pixel of all {len(low):,} {what} is {low.min():g}: nothing can be learnt from them"]
    notes = []
    rows = np.flatnonzero((low == high).all(axis=1))
    if len(rows):
        named = ", ".join(map(str, rows[:FEW])) + (" …" if len(rows) > FEW else "")
        notes.append(
            f"{len(rows):,} of {len(low):,} {what} hold one level or colour alone (rows from 0: {named})"
        )
    flat = np.flatnonzero(low.min(axis=0) == high.max(axis=0))
    for channel in flat[:FEW]:
        notes.append(f"channel {channel} (from 0) of all {what} is {low[0, channel]:g} everywhere")
    return notes
