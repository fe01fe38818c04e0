"""An explanation as plotly figures: importance, partial dependence, agreement with the truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from automl.explaining.agreement import Calibration, Pairs
from automl.explaining.dependence import Dependence
from automl.explaining.explanation import Explanation
from automl.explaining.wording import short
from automl.report.charts.look import PALETTE, Figure, Trace, base_layout, faint, row_axis, safe

COLUMNS: Final = 20
LINE: Final = "#9a9a9a"
LABEL: Final = 24  # characters of a category


def importance(found: Explanation) -> Figure | None:
    """A mark with its interval for each of the most important columns; filled where it matters."""
    shown = found.columns[:COLUMNS][::-1]
    if not shown:
        return None
    trace = {
        "type": "scatter",
        "mode": "markers",
        "x": [one.mean for one in shown],
        "y": list(range(len(shown))),
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [one.interval[1] - one.mean for one in shown],
            "arrayminus": [one.mean - one.interval[0] for one in shown],
            "color": PALETTE[0],
            "thickness": 1.5,
            "width": 4,
        },
        "marker": {
            "size": 9,
            "color": PALETTE[0],
            "symbol": ["circle" if one.matters else "circle-open" for one in shown],
        },
        "hovertemplate": "%{x:.4g}<extra></extra>",
    }
    layout = base_layout(
        xaxis={
            "title": {"text": f"loss of {safe(found.metric.name)}"},
            "zeroline": True,
            "zerolinecolor": LINE,
        },
        yaxis=row_axis([safe(short(one.column, LABEL)) for one in shown]),
        height=110 + 26 * len(shown),
    )
    return {"data": [trace], "layout": layout}


def dependence(one: Dependence, output: str) -> Figure:
    """Lines of single rows behind their mean; of categories marks. `output`: what the axis shows."""
    return _categories(one, output) if one.kind == "category" else _course(one, output)


def _course(one: Dependence, output: str) -> Figure:
    xs: list[str | float | None] = []
    ys: list[float | None] = []
    for line in one.lines:  # one trace, with gaps between the lines
        xs += [*one.at, None]
        ys += [*line, None]
    stroke = {"color": faint(PALETTE[0]), "width": 1}
    rows = {"type": "scatter", "mode": "lines", "x": xs, "y": ys, "line": stroke, "hoverinfo": "skip"}
    traces: list[Trace] = [{**rows, "name": f"{_of(one, 0)}single rows", "connectgaps": False}]
    for place, mean in enumerate(one.mean):
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": f"{_of(one, place)}mean",
                "x": list(one.at),
                "y": list(mean),
                "line": {"color": PALETTE[place], "width": 2.5},
                "marker": {"size": 5},
            }
        )
    xaxis = {
        "title": {"text": safe(short(one.column, 60))},
        "type": "date" if one.kind == "date" else "linear",
    }
    layout = base_layout(xaxis=xaxis, yaxis={"title": {"text": safe(output)}}, height=330)
    return {"data": traces, "layout": layout}


def _categories(one: Dependence, output: str) -> Figure:
    places = list(range(len(one.at)))[::-1]  # the most frequent one on top
    dots = {
        "type": "scatter",
        "mode": "markers",
        "name": f"{_of(one, 0)}single rows",
        "x": [value for line in one.lines for value in line],
        "y": places * len(one.lines),
        "marker": {"color": faint(PALETTE[0]), "size": 7},
        "hoverinfo": "skip",
    }
    traces: list[Trace] = [dots]
    for place, mean in enumerate(one.mean):
        mark = {"color": PALETTE[place], "size": 14, "symbol": "line-ns-open", "line": {"width": 3}}
        name = f"{_of(one, place)}mean"
        traces.append(
            {"type": "scatter", "mode": "markers", "name": name, "x": list(mean), "y": places, "marker": mark}
        )
    labels = [safe(short(at, LABEL)) for at in one.at][::-1]
    layout = base_layout(
        xaxis={"title": {"text": safe(output)}}, yaxis=row_axis(labels), height=150 + 26 * len(labels)
    )
    return {"data": traces, "layout": layout}


def _of(one: Dependence, place: int) -> str:
    return f"{safe(short(one.outputs[place], LABEL))}: " if len(one.outputs) > 1 else ""


def calibration(found: Calibration) -> Figure:
    """The share of rows against their mean probability, with intervals, and the line where both are equal."""
    bins = found.bins
    trace = {
        "type": "scatter",
        "mode": "markers+lines",
        "name": "validation rows",
        "x": [one.predicted for one in bins],
        "y": [one.found for one in bins],
        "text": [f"{one.rows:,} rows" for one in bins],
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [one.interval[1] - one.found for one in bins],
            "arrayminus": [one.found - one.interval[0] for one in bins],
            "thickness": 1.5,
            "width": 4,
        },
        "line": {"color": PALETTE[0], "width": 1.5},
        "marker": {"size": 8},
        "hovertemplate": "predicted %{x:.3f}<br>found %{y:.3f}<br>%{text}<extra></extra>",
    }
    layout = base_layout(
        xaxis={"title": {"text": safe(f"mean {short(found.of, 50)}")}, "range": [-0.03, 1.03]},
        yaxis={"title": {"text": "share of rows"}, "range": [-0.03, 1.03]},
        height=420,
    )
    return {"data": [_equal([0.0, 1.0]), trace], "layout": layout}


def agreement(found: Pairs, target: str) -> Figure:
    """Predictions against true numbers, a mark for each row, and the line where both are equal."""
    ends = [min(*found.truth, *found.predicted), max(*found.truth, *found.predicted)]
    marks = {
        "type": "scatter",
        "mode": "markers",
        "name": "validation rows",
        "x": list(found.truth),
        "y": list(found.predicted),
        "marker": {"size": 5, "color": PALETTE[0], "opacity": 0.5},
        "hovertemplate": "true %{x:.4g}<br>predicted %{y:.4g}<extra></extra>",
    }
    layout = base_layout(
        xaxis={"title": {"text": safe(f"true {short(target, 50)}")}},
        yaxis={"title": {"text": "predicted"}},
        height=420,
    )
    return {"data": [_equal(ends), marks], "layout": layout}


def _equal(ends: Sequence[float]) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "equal",
        "x": list(ends),
        "y": list(ends),
        "line": {"color": LINE, "width": 1.5, "dash": "dot"},
        "hoverinfo": "skip",
    }
