"""Plots of what was searched, as plotly figures: parallel coordinates, importance, Pareto set."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import Any, Final

from automl.contracts import Direction, Scalar
from automl.report.charts.look import PALETTE, Figure, arm_styles, base_layout, row_axis, safe
from automl.report.wording import Units

AXES: Final = 12
LINES: Final = 600
POINTS: Final = 1000  # of an arm beside the Pareto set
_GROUPS: Final = (  # share of the trials from the best down, name, colour, width
    (1.00, "other half", "#cfd8e3", 0.8),
    (0.50, "best 50 %", "#86b6dd", 1.0),
    (0.20, "best 20 %", "#2f7fc1", 1.4),
    (0.05, "best 5 %", "#08306b", 2.2),
)
_INACTIVE: Final = -0.12  # height at which a line passes a parameter that its configuration does not have


def importance(data: Mapping[str, Any]) -> Figure | None:
    """Share of each parameter in reaching the best tenth of the trials."""
    shares = list(data["importance"].items())[:20][::-1]
    if not shares:
        return None
    trace = {
        "type": "bar",
        "orientation": "h",
        "x": [100 * share for _, share in shares],
        "y": list(range(len(shares))),
        "marker": {"color": PALETTE[0]},
        "text": [f"{100 * share:.0f} %" for _, share in shares],
        "textposition": "outside",
        "cliponaxis": False,
        "hoverinfo": "skip",
    }
    layout = base_layout(
        xaxis={"title": {"text": "share, %"}, "rangemode": "tozero"},
        yaxis=row_axis([safe(name) for name, _ in shares]),
        height=100 + 26 * len(shares),
    )
    return {"data": [trace], "layout": layout}


def pareto(data: Mapping[str, Any], second: int) -> Figure | None:
    """All trials by the first metric and metric number `second`; those of the Pareto set stand out."""
    front = data["pareto"]
    if not front:
        return None
    names = [safe(metric["name"]) for metric in data["metrics"]]
    traces: list[dict[str, Any]] = []
    if len(names) == 2:
        line = {"shape": "linear", "color": "#9a9a9a", "width": 1.5, "dash": "dot"}
        x, y = ([entry["values"][axis] for entry in front] for axis in (0, second))
        traces.append(
            {"type": "scatter", "mode": "lines", "x": x, "y": y, "line": line, "name": "Pareto set"}
        )
    members = {entry["trial"] for entry in front}
    for arm, (color, symbol) in arm_styles(data).items():
        rows = [trial for trial in data["evaluations"] if trial["arm"] == arm and trial["values"]]
        others = [trial for trial in rows if trial["trial"] not in members]
        rows = [*_thinned(others, POINTS), *(trial for trial in rows if trial["trial"] in members)]
        inside = [trial["trial"] in members for trial in rows]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": safe(arm),
                "x": [trial["values"][0] for trial in rows],
                "y": [trial["values"][second] for trial in rows],
                "text": [safe(trial["trial"]) for trial in rows],
                "marker": {
                    "symbol": symbol,
                    "color": color,
                    "size": [11 if member else 5 for member in inside],
                    "opacity": [1.0 if member else 0.35 for member in inside],
                },
                "hovertemplate": "%{text}<br>%{x:.4g}, %{y:.4g}<extra></extra>",
            }
        )
    titles = [f"{name} ({m['direction']})" for name, m in zip(names, data["metrics"], strict=True)]
    layout = base_layout(
        xaxis={"title": {"text": titles[0]}}, yaxis={"title": {"text": titles[second]}}, height=430
    )
    return {"data": traces, "layout": layout}


def parallel(data: Mapping[str, Any], units: Units) -> Figure | None:
    """Every configuration as a line across its parameters, the better the darker.

    The most important parameters only, and at most 600 lines: the best half of those and an even sample
    of the rest.
    """
    trials = _comparable(data)
    if len(trials) < 2:
        return None
    names = [*data["importance"], *dict.fromkeys(name for trial in trials for name in trial["config"])]
    names = [name for name in dict.fromkeys(names) if len({repr(t["config"].get(name)) for t in trials}) > 1]
    names = names[:AXES]
    scales = [_Scale([trial["config"].get(name) for trial in trials]) for name in names]
    scales.append(_Scale([units.scale * trial["values"][0] for trial in trials]))
    better_first = sorted(
        trials,
        key=lambda trial: trial["values"][0],
        reverse=Direction(data["direction"]) is Direction.MAXIMIZE,
    )
    traces = []
    shares = [*(share for share, *_ in _GROUPS), 0.0]
    for (share, name, color, width), following in zip(_GROUPS, shares[1:], strict=True):
        group = better_first[math.ceil(following * len(trials)) : math.ceil(share * len(trials))]
        xs, ys = _lines(_thinned(group, LINES // 2 if share == 1 else LINES // 4), names, scales, units)
        line = {"color": color, "width": width}
        common = {"type": "scatter", "mode": "lines", "hoverinfo": "skip"}
        traces.append({**common, "name": name, "x": xs, "y": ys, "line": line})
    return {"data": traces, "layout": _axes([*names, units.label(data["metric"])], scales)}


def _axes(names: Sequence[str], scales: Sequence[_Scale]) -> dict[str, Any]:
    layout = base_layout(xaxis={}, yaxis={"visible": False, "range": [-0.2, 1.1]}, height=470)
    layout["xaxis"] |= {
        "tickvals": list(range(len(names))),
        "ticktext": [safe(_short(name, 18)) for name in names],
        "gridcolor": "#6b6b6b",
        "range": [-0.7, len(names) - 0.85],
        "side": "bottom",
    }
    layout["annotations"] = [note for x, scale in enumerate(scales) for note in scale.annotations(x)]
    return layout


def _comparable(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Complete trials whose configurations are of the space that most arms share."""
    complete = [trial for trial in data["evaluations"] if trial["values"] and trial["config"]]
    shared = {n for t in complete if data["arm_info"][t["arm"]]["shared"] for n in t["config"]}
    return [trial for trial in complete if not shared or trial["config"].keys() <= shared]


def _thinned(trials: Sequence[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    step = max(1.0, len(trials) / most)
    return [trials[int(i * step)] for i in range(min(len(trials), most))]


def _lines(
    trials: Sequence[Mapping[str, Any]], names: Sequence[str], scales: Sequence[_Scale], units: Units
) -> tuple[list[float | None], list[float | None]]:
    xs: list[float | None] = []
    ys: list[float | None] = []
    for trial in reversed(trials):  # the best is drawn last
        jitter = random.Random(trial["trial"])
        values = [*(trial["config"].get(name) for name in names), units.scale * trial["values"][0]]
        xs += [*range(len(values)), None]
        ys += [*(scale.height(v, jitter) for scale, v in zip(scales, values, strict=True)), None]
    return xs, ys


class _Scale:
    """One axis: a number's place between lowest and highest (log when they span two decades), or options."""

    def __init__(self, values: Sequence[Scalar]) -> None:
        present = [value for value in values if value is not None]
        self.numeric = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in present)
        self.options = sorted({str(value) for value in present})
        if self.numeric:
            numbers = [float(value) for value in present if value is not None]
            self.low, self.high = min(numbers), max(numbers)
            self.log = self.low > 0 and self.high / self.low >= 100
        self.partial = len(present) < len(values)

    def height(self, value: Scalar, jitter: random.Random) -> float:
        """Between 0 and 1; options are spread a little so that lines do not hide each other."""
        if value is None:
            return _INACTIVE
        if self.numeric:
            return self._place(float(value))
        step = 1 / max(1, len(self.options) - 1)
        return self.options.index(str(value)) * step + jitter.uniform(-0.18, 0.18) * min(step, 0.25)

    def _place(self, number: float) -> float:
        low, high = self.low, self.high
        if low == high:
            return 0.5
        if self.log:
            return math.log(number / low) / math.log(high / low)
        return (number - low) / (high - low)

    def annotations(self, x: int) -> list[dict[str, Any]]:
        """Labels on the axis at `x`."""
        if self.numeric:
            middle = math.sqrt(self.low * self.high) if self.log else (self.low + self.high) / 2
            labels = {self._place(number): f"{number:.3g}" for number in (self.low, middle, self.high)}
        else:
            step = 1 / max(1, len(self.options) - 1)
            every = max(1, math.ceil(len(self.options) / 16))
            labels = {i * step: safe(_short(o, 14)) for i, o in enumerate(self.options) if i % every == 0}
        if self.partial:
            labels[_INACTIVE] = "not used"
        common = {
            "x": x,
            "showarrow": False,
            "xanchor": "right",
            "xshift": -5,
            "bgcolor": "rgba(255,255,255,0.8)",
        }
        return [{**common, "y": y, "text": label, "font": {"size": 11}} for y, label in labels.items()]


def _short(label: str, most: int) -> str:
    return label if len(label) <= most else label[: most - 1] + "…"
