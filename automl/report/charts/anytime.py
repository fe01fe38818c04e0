"""The anytime curves: best value so far against device-seconds, an arm a curve."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

from automl.report.arms import ArmReport
from automl.report.campaign_report import CampaignReport
from automl.report.charts.look import Figure, Trace, arm_styles, base_layout, faint, safe
from automl.report.charts.many_seeds import MANY, Band, quartile_band
from automl.report.searches import Point
from automl.report.wording import Units


def anytime(report: CampaignReport) -> Figure | None:
    """The curves of a campaign's arms."""
    return curves(report.arms, report.metric.name, report.units)


def curves(arms: Mapping[str, ArmReport], metric: str, units: Units) -> Figure | None:
    """Best value so far against device-seconds: mean over seeds, band from the worst to the best seed.

    With many seeds: the median, and a band from the lower to the upper quartile. `arms`: by their labels.
    """
    bands = {
        name: band.scaled(units.scale) for name, arm in arms.items() if (band := band_of(arm)) is not None
    }
    if not bands:
        return None
    end = max(band.x[-1] for band in bands.values())
    traces: list[Trace] = []
    for name, style in arm_styles(arms).items():
        if name in bands:
            reference = arms[name].info.kind == "reference"
            traces += _traces(name, bands[name], style, end if reference else None)
    late = [
        value
        for band in bands.values()
        for x, low, high in zip(band.x, band.low, band.high, strict=True)
        if x >= 0.05 * end or x == band.x[-1]
        for value in (low, high)
    ]
    margin = 0.06 * (max(late) - min(late)) or 0.01 * abs(late[0]) or 1.0
    layout = base_layout(
        xaxis={"title": {"text": "device-seconds of one search"}, "range": [0, 1.03 * end]},
        yaxis={
            "title": {"text": f"best {safe(units.label(metric))} so far"},
            "range": [min(late) - margin, max(late) + margin],
        },
        height=430,
    )
    return {"data": traces, "layout": layout}


def band_of(arm: ArmReport) -> Band | None:
    """Mean, worst and best over seeds at each step, from where every seed with a result has a value."""
    curves = [(search.anytime, search.device_seconds) for search in arm.searches if search.anytime]
    if not curves:
        return None
    if len(curves) > MANY:
        return quartile_band(curves)
    start = max(points[0].spent for points, _ in curves)
    end = max(start, *(spent for _, spent in curves))
    steps = {point.spent for points, _ in curves for point in _improvements(points)}
    xs = sorted({start, end} | {x for x in steps if start < x < end})
    columns = [[_at(points, x) for points, _ in curves] for x in xs]
    return Band(
        x=xs,
        middle=[fmean(column) for column in columns],
        low=[min(column) for column in columns],
        high=[max(column) for column in columns],
    )


def _improvements(points: Sequence[Point]) -> Iterator[Point]:
    previous = None
    for point in points:
        if point.best != previous:
            yield point
        previous = point.best


def _at(points: Sequence[Point], x: float) -> float:
    return points[bisect_right(points, x, key=lambda point: point.spent) - 1].best


def _traces(arm: str, band: Band, style: tuple[str, str], extend_to: float | None) -> Iterator[Trace]:
    """Lower edge, upper edge, and the curve. `extend_to`: where the one value of a reference ends."""
    color, symbol = style
    if extend_to is not None:  # a reference is one trial: its value holds for any budget
        band = band.extended(extend_to)
    step = {"shape": "hv", "color": color}
    common = {"x": band.x, "legendgroup": safe(arm), "hoverinfo": "skip", "type": "scatter", "mode": "lines"}
    edge = {**step, "width": 0}
    yield {**common, "y": band.low, "line": edge, "showlegend": False}
    fill = {"fill": "tonexty", "fillcolor": faint(color)}
    yield {**common, "y": band.high, "line": edge, "showlegend": False, **fill}
    yield {
        **common,
        "y": band.middle,
        "name": safe(arm),
        "mode": "lines+markers",
        "line": {**step, "width": 2.5, "dash": "dash" if extend_to is not None else "solid"},
        "marker": {"symbol": symbol, "size": [0] * (len(band.x) - 1) + [9], "opacity": 1},
        "error_y": {**_bars(band, color), "visible": len(band.x) <= 2 and extend_to is None},
        "customdata": list(zip(band.low, band.high, strict=True)),
        "hoverinfo": "all",
        "hovertemplate": "%{x:.1f} device-seconds: %{y:.4g} (%{customdata[0]:.4g} to %{customdata[1]:.4g})",
    }


def _bars(band: Band, color: str) -> Trace:
    """From worst to best seed, for arms of a single trial, which have no band."""
    return {
        "array": [top - middle for top, middle in zip(band.high, band.middle, strict=True)],
        "arrayminus": [middle - bottom for middle, bottom in zip(band.middle, band.low, strict=True)],
        "color": color,
    }
