"""All configurations as lines across their parameters, as a plotly figure."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Final, NamedTuple

from automl.contracts import Config, Direction, Scalar
from automl.report.campaign_report import CampaignReport
from automl.report.charts.look import Figure, Trace, base_layout, safe, thinned

AXES: Final = 12
LINES: Final = 600
_GROUPS: Final = (  # share of the trials from the best down, name, colour, width
    (1.00, "other half", "#cfd8e3", 0.8),
    (0.50, "best 50 %", "#86b6dd", 1.0),
    (0.20, "best 20 %", "#2f7fc1", 1.4),
    (0.05, "best 5 %", "#08306b", 2.2),
)
LETTER: Final = 7  # pixels of a letter of a label, at most
ROOM: Final = 60  # pixels between two axes at least
_INACTIVE: Final = -0.12  # height at which a line passes a parameter that its configuration does not have


class _Line(NamedTuple):
    """A complete trial. `value`: its first metric, as it is shown."""

    trial: str
    config: Config
    value: float


def parallel(report: CampaignReport) -> Figure | None:
    """Every configuration as a line across its parameters, the better the darker.

    The most important parameters only, and at most 600 lines: the best half of those and an even sample
    of the rest.
    """
    lines = _comparable(report)
    if len(lines) < 2:
        return None
    metric = report.metric
    names = [*report.importance, *dict.fromkeys(name for line in lines for name in line.config)]
    names = [name for name in dict.fromkeys(names) if len({repr(o.config.get(name)) for o in lines}) > 1]
    names = names[:AXES]
    scales = [_Scale([line.config.get(name) for line in lines]) for name in names]
    scales.append(_Scale([line.value for line in lines]))
    better_first = sorted(lines, key=lambda line: line.value, reverse=metric.direction is Direction.MAXIMIZE)
    traces, drawn = [], 0
    shares = [*(share for share, *_ in _GROUPS), 0.0]
    for (share, name, color, width), following in zip(_GROUPS, shares[1:], strict=True):
        group = better_first[math.ceil(following * len(lines)) : math.ceil(share * len(lines))]
        group = thinned(group, LINES // 2 if share == 1 else LINES // 4)
        drawn += len(group)
        xs, ys = _points(group, names, scales)
        stroke = {"color": color, "width": width}
        common = {"type": "scatter", "mode": "lines", "hoverinfo": "skip"}
        traces.append({**common, "name": name, "x": xs, "y": ys, "line": stroke})
    layout = _axes([*names, report.units.label(metric.name)], scales)
    layout["meta"]["left_out"] = len(lines) - drawn
    return {"data": traces, "layout": layout}


def _axes(names: Sequence[str], scales: Sequence[_Scale]) -> Trace:
    layout = base_layout(xaxis={}, yaxis={"visible": False, "range": [-0.2, 1.1]}, height=470)
    layout["xaxis"] |= {
        "tickvals": list(range(len(names))),
        "ticktext": [safe(_short(name, 18)) for name in names],
        "gridcolor": "#6b6b6b",
        "range": [-0.7, len(names) - 0.85],
        "side": "bottom",
    }
    notes = [note for x, scale in enumerate(scales) for note in scale.annotations(x)]
    layout["annotations"] = notes
    widest = max(len(str(note["text"])) for note in notes)
    layout["meta"] = {"least_width": max(ROOM, LETTER * widest + 16) * (len(names) + 1)}
    return layout


def _comparable(report: CampaignReport) -> list[_Line]:
    """Complete trials whose configurations are of the space that most arms share."""
    complete = [trial for trial in report.evaluations if trial.values and trial.config]
    of_shared = [trial for trial in complete if report.arms[trial.arm].info.shared]
    shared = {name for trial in of_shared for name in trial.config}
    scale = report.units.scale
    return [
        _Line(trial.trial, trial.config, scale * trial.values[0])
        for trial in complete
        if trial.values and (not shared or trial.config.keys() <= shared)
    ]


def _points(
    lines: Sequence[_Line], names: Sequence[str], scales: Sequence[_Scale]
) -> tuple[list[float | None], list[float | None]]:
    xs: list[float | None] = []
    ys: list[float | None] = []
    for line in reversed(lines):  # the best is drawn last
        jitter = random.Random(line.trial)
        values = [*(line.config.get(name) for name in names), line.value]
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
            self.log = self.low > 0 and self.high >= 100 * self.low
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
            return (math.log(number) - math.log(low)) / (math.log(high) - math.log(low))
        return (number - low) / (high - low)

    def annotations(self, x: int) -> list[Trace]:
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
    """A label without its middle: names differ at their ends as often as at their beginnings."""
    end = (most - 1) // 2
    return label if len(label) <= most else f"{label[: most - 1 - end]}…{label[-end:]}"
