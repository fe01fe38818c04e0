"""Plots of what was searched, as plotly figures: importance of parameters, Pareto set."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from automl.report.campaign_report import CampaignReport
from automl.report.charts.look import (
    PALETTE,
    Figure,
    Trace,
    arm_styles,
    base_layout,
    row_axis,
    safe,
    thinned,
)
from automl.report.evaluations import Evaluation

POINTS: Final = 1000  # of an arm beside the Pareto set


def importance(report: CampaignReport) -> Figure | None:
    """Share of each parameter in reaching the best tenth of the trials."""
    shares = list(report.importance.items())[:20][::-1]
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
        xaxis={"title": {"text": "share, %"}, "range": [0, 115 * max(share for _, share in shares)]},
        yaxis=row_axis([safe(name) for name, _ in shares]),
        height=100 + 26 * len(shares),
    )
    return {"data": [trace], "layout": layout}


def pareto(report: CampaignReport, second: int) -> Figure | None:
    """All trials by the first metric and metric number `second`; those of the Pareto set stand out."""
    front, metrics = report.pareto, report.settings.metrics
    if not front:
        return None
    traces: list[Trace] = []
    if len(metrics) == 2:
        line = {"shape": "linear", "color": "#9a9a9a", "width": 1.5, "dash": "dot"}
        x, y = ([point.values[axis] for point in front] for axis in (0, second))
        traces.append(
            {"type": "scatter", "mode": "lines", "x": x, "y": y, "line": line, "name": "Pareto set"}
        )
    members, left_out = {point.trial for point in front}, 0
    for arm, style in arm_styles(report.arms).items():
        trials = [trial for trial in report.evaluations if trial.arm == arm and trial.values]
        others = [trial for trial in trials if trial.trial not in members]
        left_out += max(0, len(others) - POINTS)
        shown = [*thinned(others, POINTS), *(trial for trial in trials if trial.trial in members)]
        traces.append(_pareto_trace(arm, style, shown, members, second))
    titles = [f"{safe(metric.name)} ({metric.direction})" for metric in metrics]
    layout = base_layout(
        xaxis={"title": {"text": titles[0]}}, yaxis={"title": {"text": titles[second]}}, height=430
    )
    layout["meta"] = {"left_out": left_out}
    return {"data": traces, "layout": layout}


def _pareto_trace(
    arm: str, style: tuple[str, str], trials: Sequence[Evaluation], members: Collection[str], second: int
) -> Trace:
    color, symbol = style
    inside = [trial.trial in members for trial in trials]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": safe(arm),
        "x": [trial.values[0] for trial in trials if trial.values],
        "y": [trial.values[second] for trial in trials if trial.values],
        "text": [safe(trial.trial) for trial in trials],
        "marker": {
            "symbol": symbol,
            "color": color,
            "size": [11 if member else 5 for member in inside],
            "opacity": [1.0 if member else 0.35 for member in inside],
        },
        "hovertemplate": "%{text}<br>%{x:.4g}, %{y:.4g}<extra></extra>",
    }
