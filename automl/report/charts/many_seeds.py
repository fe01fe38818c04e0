"""Figures of arms with so many seeds that a mark for each would hide the others: medians and quartiles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from automl.report.arms import ArmReport
from automl.report.charts.look import Trace
from automl.report.searches import Point

MANY: Final = 20  # seeds of an arm above which they are not drawn one by one
GRID: Final = 300  # points of a curve
_QUARTILES: Final = (25, 50, 75)


@dataclass(frozen=True)
class Band:
    """A curve over seeds with its lower and upper edge."""

    x: list[float]
    middle: list[float]
    low: list[float]
    high: list[float]

    def scaled(self, scale: float) -> Band:
        """The same in another unit."""
        middle, low, high = ([scale * value for value in part] for part in (self.middle, self.low, self.high))
        return replace(self, middle=middle, low=low, high=high)

    def extended(self, x: float) -> Band:
        """The same with its last values once more at `x`."""
        middle, low, high = ([*part, part[-1]] for part in (self.middle, self.low, self.high))
        return Band([*self.x, x], middle, low, high)


def many_seeds(arms: Iterable[ArmReport]) -> bool:
    """Whether an arm has too many seeds for a mark each."""
    return any(len(arm.searches) > MANY for arm in arms)


def quartile_band(curves: Sequence[tuple[Sequence[Point], float]]) -> Band:
    """Median, lower and upper quartile over seeds, from where every seed has a value.

    `curves`: of each seed its points, and what it spent in all.
    """
    start = max(points[0].spent for points, _ in curves)
    end = max(start, *(spent for _, spent in curves))
    xs = np.linspace(start, end, GRID)
    values = np.empty((len(curves), GRID))
    for row, (points, _) in enumerate(curves):
        steps = np.asarray(points, dtype=float)
        values[row] = steps[np.searchsorted(steps[:, 0], xs, side="right") - 1, 1]
    low, middle, high = np.percentile(values, _QUARTILES, axis=0)
    return Band(xs.tolist(), middle.tolist(), low.tolist(), high.tolist())


def boxes(rows: Mapping[float, Sequence[float]], name: str, color: str, thickness: float) -> list[Trace]:
    """A horizontal box for the values at each height: median, quartiles, 5th and 95th percentile."""
    heights = [height for height, values in rows.items() if values]
    if not heights:
        return []
    quantiles = np.array([np.percentile(rows[height], (5, *_QUARTILES, 95)) for height in heights]).T
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
            **{key: values.tolist() for key, values in zip(names, quantiles, strict=True)},
        }
    ]
