"""A curve in a line of text."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(points: Sequence[tuple[float, float]], width: int, end: float, low: float, high: float) -> str:
    """A step curve of `points` (x, y), from x = 0 to `end` in `width` characters; blank before its start.

    `low` and `high`: the values of the lowest and the highest block.
    """
    xs = [x for x, _ in points]
    drawn = []
    for column in range(width):
        place = bisect_right(xs, end * (column + 1) / width * (1 + 1e-9)) - 1
        drawn.append(" " if place < 0 else _block(points[place][1], low, high))
    return "".join(drawn)


def _block(value: float, low: float, high: float) -> str:
    share = 0.5 if high <= low else (value - low) / (high - low)
    return BLOCKS[min(len(BLOCKS) - 1, max(0, int(share * len(BLOCKS))))]
