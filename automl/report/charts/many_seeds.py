"""Figures of arms with so many seeds that a mark for each would hide the others: medians and quartiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np

MANY: Final = 20  # seeds of an arm above which they are not drawn one by one
GRID: Final = 300  # points of a curve
_QUARTILES: Final = (25, 50, 75)
Points: TypeAlias = Sequence[Sequence[float]]


def quartile_curve(curves: Sequence[tuple[Points, float]]) -> dict[str, list[float]]:
    """Median, lower and upper quartile over seeds, from where every seed has a value.

    `curves`: of each seed its points (device-seconds, best so far) and what it spent in all.
    """
    start = max(points[0][0] for points, _ in curves)
    end = max(start, *(spent for _, spent in curves))
    xs = np.linspace(start, end, GRID)
    values = np.empty((len(curves), GRID))
    for row, (points, _) in enumerate(curves):
        steps = np.asarray(points, dtype=float)
        values[row] = steps[np.searchsorted(steps[:, 0], xs, side="right") - 1, 1]
    low, middle, high = np.percentile(values, _QUARTILES, axis=0)
    return {"x": xs.tolist(), "mean": middle.tolist(), "low": low.tolist(), "high": high.tolist()}


def boxes(
    rows: Mapping[float, Sequence[float]], name: str, color: str, thickness: float
) -> list[dict[str, Any]]:
    """A horizontal box for the values at each height: median, quartiles, 5th and 95th percentile."""
    heights = [height for height, values in rows.items() if values]
    if not heights:
        return []
    found = np.array([np.percentile(rows[height], (5, *_QUARTILES, 95)) for height in heights]).T
    names = ("lowerfence", "q1", "median", "q3", "upperfence")
    return [
        {
            "type": "box",
            "orientation": "h",
            "name": name,
            "y": heights,
            "width": thickness,
            "line": {"color": color, "width": 2},
            "fillcolor": "white",
            **{key: values.tolist() for key, values in zip(names, found, strict=True)},
        }
    ]
