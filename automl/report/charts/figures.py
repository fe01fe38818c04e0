"""Plots of the comparison as plotly figures: plain dicts of `data` and `layout`, drawn in the browser."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any, Final

from automl.report.charts.look import Figure, arm_styles, base_layout, faint, row_axis, safe
from automl.report.charts.many_seeds import MANY, boxes, quartile_curve
from automl.report.comparison import BASELINE, level_value
from automl.report.wording import Units

_LEVELS: Final = {
    "validation": ("best on validation", "circle-open", "#5a5a5a"),
    "fresh": ("fresh seeds, validation", "diamond", "#d55e00"),
    "test": ("fresh seeds, test", "square", "#0072b2"),
}


def anytime(data: Mapping[str, Any], units: Units) -> Figure | None:
    """Best value so far against device-seconds: mean over seeds, band from the worst to the best seed.

    With many seeds: the median, and a band from the lower to the upper quartile.
    """
    curves = {arm: curve for arm, searches in data["arms"].items() if (curve := _curve(searches))}
    if not curves:
        return None
    end = max(curve["x"][-1] for curve in curves.values())
    traces: list[dict[str, Any]] = []
    for arm, (color, symbol) in arm_styles(data).items():
        if arm in curves:
            reference = data["arm_info"][arm]["kind"] == "reference"
            traces += _curve_traces(arm, curves[arm], color, symbol, units, end if reference else None)
    late = [
        value * units.scale
        for curve in curves.values()
        for x, low, high in zip(curve["x"], curve["low"], curve["high"], strict=True)
        if x >= 0.05 * end or x == curve["x"][-1]
        for value in (low, high)
    ]
    margin = 0.06 * (max(late) - min(late)) or 0.01 * abs(late[0]) or 1.0
    layout = base_layout(
        xaxis={"title": {"text": "device-seconds of one search"}, "range": [0, 1.03 * end]},
        yaxis={
            "title": {"text": f"best {safe(units.label(data['metric']))} so far"},
            "range": [min(late) - margin, max(late) + margin],
        },
        height=430,
    )
    return {"data": traces, "layout": layout}


def _curve(searches: Sequence[Mapping[str, Any]]) -> dict[str, list[float]] | None:
    """Mean, worst and best over seeds at each step, from where every seed with a result has a value."""
    curves = [(search["anytime"], search["device_seconds"]) for search in searches if search["anytime"]]
    if not curves:
        return None
    if len(curves) > MANY:
        return quartile_curve(curves)
    start = max(points[0][0] for points, _ in curves)
    end = max(start, *(spent for _, spent in curves))
    steps = {point[0] for points, _ in curves for point in _improvements(points)}
    xs = sorted({start, end} | {x for x in steps if start < x < end})
    columns = [[_at(points, x) for points, _ in curves] for x in xs]
    return {
        "x": xs,
        "mean": [fmean(column) for column in columns],
        "low": [min(column) for column in columns],
        "high": [max(column) for column in columns],
    }


def _improvements(points: Sequence[Sequence[float]]) -> Iterator[Sequence[float]]:
    previous = None
    for point in points:
        if point[1] != previous:
            yield point
        previous = point[1]


def _at(points: Sequence[Sequence[float]], x: float) -> float:
    return points[bisect_right(points, x, key=lambda point: point[0]) - 1][1]


def _curve_traces(
    arm: str,
    curve: Mapping[str, list[float]],
    color: str,
    symbol: str,
    units: Units,
    extend_to: float | None,
) -> Iterator[dict[str, Any]]:
    xs = list(curve["x"])
    mean, low, high = ([units.scale * value for value in curve[key]] for key in ("mean", "low", "high"))
    if extend_to is not None:  # a reference is one trial: its value holds for any budget
        xs, mean, low, high = ([*values, values[-1]] for values in (xs, mean, low, high))
        xs[-1] = extend_to
    step = {"shape": "hv", "color": color}
    common = {"x": xs, "legendgroup": safe(arm), "hoverinfo": "skip", "type": "scatter", "mode": "lines"}
    edge = {**step, "width": 0}
    yield {**common, "y": low, "line": edge, "showlegend": False}
    fill = {"fill": "tonexty", "fillcolor": faint(color)}
    yield {**common, "y": high, "line": edge, "showlegend": False, **fill}
    yield {
        **common,
        "y": mean,
        "name": safe(arm),
        "mode": "lines+markers",
        "line": {**step, "width": 2.5, "dash": "dash" if extend_to is not None else "solid"},
        "marker": {"symbol": symbol, "size": [0] * (len(xs) - 1) + [9], "opacity": 1},
        "error_y": {**_bars(mean, low, high, color), "visible": len(xs) <= 2 and extend_to is None},
        "customdata": list(zip(low, high, strict=True)),
        "hoverinfo": "all",
        "hovertemplate": "%{x:.1f} device-seconds: %{y:.4g} (%{customdata[0]:.4g} to %{customdata[1]:.4g})",
    }


def _bars(mean: list[float], low: list[float], high: list[float], color: str) -> dict[str, Any]:
    """From worst to best seed, for arms of a single trial, which have no band."""
    return {
        "array": [top - middle for top, middle in zip(high, mean, strict=True)],
        "arrayminus": [middle - bottom for middle, bottom in zip(mean, low, strict=True)],
        "color": color,
    }


def differences(data: Mapping[str, Any], units: Units) -> Figure | None:
    """Each arm's difference to the baseline with its 95 % interval, best on top."""
    known = {verdict["arm"]: verdict for verdict in data["verdicts"] if verdict["difference"] is not None}
    arms = [arm for arm in reversed(data["ranking"]) if arm in known]
    if not arms:
        return None
    styles = arm_styles(data)
    traces = []
    for row, arm in enumerate(arms):
        verdict = known[arm]
        middle = units.scale * verdict["difference"]
        low, high = (units.scale * end for end in verdict["interval"] or [verdict["difference"]] * 2)
        color, symbol = styles[arm]
        decided = verdict["verdict"] != "undecided"
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": [middle],
                "y": [row],
                "text": [safe(f"{arm}: {verdict['verdict']}")],
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
        )
    better = "right" if data["direction"] == "maximize" else "left"
    title = f"difference to {BASELINE} in {safe(data['metric'])}{units.difference_unit} (better: {better})"
    layout = base_layout(
        xaxis={"title": {"text": title}, "zeroline": True, "zerolinewidth": 2, "zerolinecolor": "#777"},
        yaxis=row_axis([safe(arm) for arm in arms]),
        height=110 + 42 * len(arms),
    )
    return {"data": traces, "layout": layout}


def side_by_side(data: Mapping[str, Any], units: Units) -> Figure | None:
    """Validation, fresh-seed and test value of every search; a tick marks the mean over seeds.

    With many seeds: a box for each arm and level.
    """
    arms = [arm for arm in reversed(data["ranking"]) if any(search["best"] for search in data["arms"][arm])]
    if not arms:
        return None
    if many_seeds(data):
        return _boxes_side_by_side(data, units, arms)
    points: dict[str, list[tuple[float, float, str]]] = {level: [] for level in _LEVELS}
    links: tuple[list[float | None], list[float | None]] = ([], [])
    for row, arm in enumerate(arms):
        searches = [search for search in data["arms"][arm] if search["best"]]
        for i, search in enumerate(searches):
            y = row + 0.56 * (0.5 - (i + 0.5) / len(searches))
            values = {
                "validation": search["best"]["value"],
                **{level: fmean(search[level]) for level in ("fresh", "test") if search[level]},
            }
            for level, value in values.items():
                points[level].append((units.scale * value, y, safe(f"{arm}, seed {search['seed']}")))
            ends = sorted(units.scale * value for value in values.values())
            links[0].extend([ends[0], ends[-1], None])
            links[1].extend([y, y, None])
    base = {"type": "scatter", "hoverinfo": "skip"}
    line = {"color": "#bdbdbd", "width": 1.5}
    traces: list[dict[str, Any]] = [
        {**base, "mode": "lines", "x": links[0], "y": links[1], "line": line, "showlegend": False}
    ]
    for level, (name, symbol, color) in _LEVELS.items():
        if points[level]:
            traces += _level_traces(points[level], name, symbol, color)
    layout = base_layout(
        xaxis={"title": {"text": safe(units.label(data["metric"]))}},
        yaxis=row_axis([safe(arm) for arm in arms]),
        height=130 + max(58, 13 * max(map(len, data["arms"].values()))) * len(arms),
    )
    return {"data": traces, "layout": layout}


def many_seeds(data: Mapping[str, Any]) -> bool:
    """Whether an arm has too many seeds for a mark each."""
    return any(len(searches) > MANY for searches in data["arms"].values())


def _boxes_side_by_side(data: Mapping[str, Any], units: Units, arms: Sequence[str]) -> Figure:
    traces: list[dict[str, Any]] = []
    for place, (level, (name, _, color)) in enumerate(_LEVELS.items()):
        rows: dict[float, list[float]] = {}
        for row, arm in enumerate(arms):
            found = [level_value(search, level) for search in data["arms"][arm]]
            rows[row + 0.26 * (1 - place)] = [units.scale * value for value in found if value is not None]
        traces += boxes(rows, name, color, 0.18)
    layout = base_layout(
        xaxis={"title": {"text": safe(units.label(data["metric"]))}},
        yaxis=row_axis([safe(arm) for arm in arms]),
        height=130 + 90 * len(arms),
    )
    return {"data": traces, "layout": layout}


def _level_traces(
    points: Sequence[tuple[float, float, str]], name: str, symbol: str, color: str
) -> Iterator[dict[str, Any]]:
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
