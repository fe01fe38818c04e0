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
    lines: dict[str, list[float | None]] = {"x": [], "y": []}
    frames: dict[str, list[float | None]] = {"x": [], "y": []}
    medians, texts = [], []
    for height in heights:
        least, low, middle, high, most = (
            float(at) for at in np.percentile(rows[height], (5, *_QUARTILES, 95))
        )
        top, bottom = height + thickness / 2, height - thickness / 2
        lines["x"] += [least, low, None, high, most, None, middle, middle, None]
        lines["y"] += [height, height, None, height, height, None, bottom, top, None]
        frames["x"] += [low, high, high, low, low, None]
        frames["y"] += [bottom, bottom, top, top, bottom, None]
        medians.append(middle)
        texts.append(f"{middle:.4g} ({low:.4g} to {high:.4g})")
    line = {"color": color, "width": 2}
    common = {"type": "scatter", "mode": "lines", "line": line, "hoverinfo": "skip", "legendgroup": name}
    return [
        {**common, **frames, "name": name, "fill": "toself", "fillcolor": "white"},
        {**common, **lines, "showlegend": False},
        {
            **common,
            "x": medians,
            "y": heights,
            "mode": "markers",
            "marker": {"color": color, "size": 1},
            "text": texts,
            "hoverinfo": "text",
            "hovertemplate": f"{name}: %{{text}}<extra></extra>",
            "showlegend": False,
        },
    ]
