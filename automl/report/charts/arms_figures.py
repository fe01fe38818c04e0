"""Plots of the arms side by side as plotly figures: differences to the baseline, values at each level."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Final

from automl.contracts import Direction
from automl.report.arms import ArmReport
from automl.report.campaign_report import CampaignReport
from automl.report.charts.look import Figure, Trace, arm_styles, base_layout, row_axis, safe
from automl.report.charts.many_seeds import boxes, many_seeds
from automl.report.searches import Level
from automl.report.verdicts import BASELINE, ArmVerdict
from automl.report.wording import Units

_LEVELS: Final[dict[Level, tuple[str, str, str]]] = {  # name, symbol, colour
    "validation": ("best on validation", "circle-open", "#5a5a5a"),
    "fresh": ("fresh seeds, validation", "diamond", "#d55e00"),
    "test": ("fresh seeds, test", "square", "#0072b2"),
}


def differences(report: CampaignReport) -> Figure | None:
    """Each arm's difference to the baseline with its 95 % interval, best on top."""
    units, comparison = report.units, report.comparison
    known = {verdict.arm: verdict for verdict in comparison.verdicts if verdict.difference is not None}
    arms = [arm for arm in reversed(comparison.ranking) if arm in known]
    if not arms:
        return None
    styles = arm_styles(report.arms)
    traces = [_difference_trace(row, known[arm], styles[arm], units) for row, arm in enumerate(arms)]
    better = "right" if report.metric.direction is Direction.MAXIMIZE else "left"
    metric = safe(report.metric.name)
    title = f"{metric}{units.difference_unit} more than {BASELINE} (better: {better})"
    layout = base_layout(
        xaxis={"title": {"text": title}, "zeroline": True, "zerolinewidth": 2, "zerolinecolor": "#777"},
        yaxis=row_axis([safe(arm) for arm in arms]),
        height=110 + 42 * len(arms),
    )
    return {"data": traces, "layout": layout}


def _difference_trace(row: int, verdict: ArmVerdict, style: tuple[str, str], units: Units) -> Trace:
    difference = verdict.difference or 0.0
    middle = units.scale * difference
    low, high = (units.scale * end for end in verdict.interval or (difference, difference))
    color, symbol = style
    decided = verdict.verdict != "undecided"
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [middle],
        "y": [row],
        "text": [safe(f"{verdict.arm}: {verdict.verdict}")],
        "marker": {"symbol": symbol + ("" if decided else "-open"), "size": 12, "color": color},
        "error_x": {
            "array": [high - middle],
            "arrayminus": [middle - low],
            "color": color,
            "thickness": 2,
        },
        "hovertemplate": f"%{{text}}<br>%{{x:.3g}} ({low:.3g} to {high:.3g})<extra></extra>",
        "showlegend": False,
    }


def side_by_side(report: CampaignReport) -> Figure | None:
    """Validation, fresh-seed and test value of every search; a tick marks the mean over seeds.

    With many seeds: a box for each arm and level.
    """
    arms = [arm for arm in reversed(report.ranked) if any(search.best for search in arm.searches)]
    if not arms:
        return None
    units = report.units
    if many_seeds(report.arms.values()):
        traces, height = _boxes(arms, units), 130 + 90 * len(arms)
    else:
        traces, height = list(_marks(arms, units)), 130 + max(58, 13 * report.most_seeds) * len(arms)
    layout = base_layout(
        xaxis={"title": {"text": safe(units.label(report.metric.name))}},
        yaxis=row_axis([safe(arm.name) for arm in arms]),
        height=height,
    )
    return {"data": traces, "layout": layout}


def _marks(arms: Sequence[ArmReport], units: Units) -> Iterator[Trace]:
    """A line from the lowest to the highest value of each search; over it marks for its values."""
    points: dict[Level, list[tuple[float, float, str]]] = {level: [] for level in _LEVELS}
    xs: list[float | None] = []
    ys: list[float | None] = []
    for row, arm in enumerate(arms):
        searches = [search for search in arm.searches if search.best]
        for i, search in enumerate(searches):
            y = row + 0.56 * (0.5 - (i + 0.5) / len(searches))
            values = {
                level: units.scale * value for level in _LEVELS if (value := search.value(level)) is not None
            }
            for level, value in values.items():
                points[level].append((value, y, safe(f"{arm.name}, seed {search.seed}")))
            xs += [min(values.values()), max(values.values()), None]
            ys += [y, y, None]
    line = {"color": "#bdbdbd", "width": 1.5}
    base = {"type": "scatter", "hoverinfo": "skip"}
    yield {**base, "mode": "lines", "x": xs, "y": ys, "line": line, "showlegend": False}
    for level, (name, symbol, color) in _LEVELS.items():
        if points[level]:
            yield from _level_traces(points[level], name, symbol, color)


def _boxes(arms: Sequence[ArmReport], units: Units) -> list[Trace]:
    traces: list[Trace] = []
    for place, (level, (name, _, color)) in enumerate(_LEVELS.items()):
        rows: dict[float, list[float]] = {}
        for row, arm in enumerate(arms):
            values = [search.value(level) for search in arm.searches]
            rows[row + 0.26 * (1 - place)] = [units.scale * value for value in values if value is not None]
        traces += boxes(rows, name, color, 0.18)
    return traces


def _level_traces(
    points: Sequence[tuple[float, float, str]], name: str, symbol: str, color: str
) -> Iterator[Trace]:
    yield {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [x for x, _, _ in points],
        "y": [y for _, y, _ in points],
        "text": [label for _, _, label in points],
        "marker": {"symbol": symbol, "color": color, "size": 9, "line": {"width": 2, "color": color}},
        "hovertemplate": f"%{{text}}<br>{name}: %{{x:.4g}}<extra></extra>",
    }
    rows: dict[int, list[float]] = {}
    for x, y, _ in points:
        rows.setdefault(round(y), []).append(x)
    yield {
        "type": "scatter",
        "mode": "markers",
        "x": [fmean(xs) for xs in rows.values()],
        "y": list(rows),
        "marker": {
            "symbol": "line-ns-open",
            "size": 34,
            "color": color,
            "line": {"width": 2, "color": color},
        },
        "hovertemplate": f"mean over seeds, {name}: %{{x:.4g}}<extra></extra>",
        "showlegend": False,
    }
