"""The look of the report's plots: colours, symbols, axes, and text made safe for plotly."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from itertools import cycle
from typing import Any, Final, TypeAlias, TypedDict, TypeVar

from automl.report.verdicts import BASELINE

Row = TypeVar("Row")
Trace: TypeAlias = dict[str, Any]  # plotly's own JSON: a trace, an axis or a layout


class Figure(TypedDict):
    """A plotly figure as plain JSON, drawn in the browser."""

    data: list[Trace]
    layout: Trace


# Okabe and Ito's palette, which colour-blind readers can tell apart; the baseline is grey
PALETTE: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#a87500", "#3a9bdc", "#7a4fbf")
_SYMBOLS: Final = ("square", "diamond", "triangle-up", "x", "star", "pentagon")
_BASELINE_STYLE: Final = ("#6b6b6b", "circle")


def arm_styles(arms: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Colour and symbol of each arm."""
    colors, symbols = cycle(PALETTE), cycle(_SYMBOLS)
    return {arm: _BASELINE_STYLE if arm == BASELINE else (next(colors), next(symbols)) for arm in arms}


def faint(color: str) -> str:
    """A hex colour, nearly transparent."""
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.14)"


def row_axis(labels: Sequence[str]) -> Trace:
    """A y-axis with one labelled row for each of `labels`, from the bottom."""
    return {
        "tickvals": list(range(len(labels))),
        "ticktext": list(labels),
        "range": [-0.6, len(labels) - 0.4],
        "automargin": True,
        "zeroline": False,
    }


def base_layout(*, xaxis: Trace, yaxis: Trace, height: int) -> Trace:
    """A layout on white; `height` in pixels, as wide as the page."""
    axis = {"gridcolor": "#e4e4e4", "linecolor": "#8a8a8a", "zeroline": False, "automargin": True}
    for given in (xaxis, yaxis):
        if "title" in given:
            given["title"] = {"font": {"size": 13}, "standoff": 10, **given["title"]}
    return {
        "height": height,
        "margin": {"l": 64, "r": 24, "t": 36, "b": 48},
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "font": {
            "family": "system-ui, 'Segoe UI', 'Liberation Sans', sans-serif",
            "size": 13,
            "color": "#1b1b1b",
        },
        "legend": {
            "orientation": "h",
            "itemsizing": "constant",
            "x": 0,
            "xanchor": "left",
            "y": 1.02,
            "yanchor": "bottom",
        },
        "hoverlabel": {"bgcolor": "white", "font": {"color": "#1b1b1b"}},
        "xaxis": {**axis, **xaxis},
        "yaxis": {**axis, **yaxis},
    }


def safe(of_user: str) -> str:
    """Text of a user as plotly shows it literally: plotly's labels understand a little HTML."""
    return html.escape(of_user, quote=False)


def thinned(rows: Sequence[Row], most: int) -> list[Row]:
    """At most `most` of the rows, evenly picked."""
    step = max(1.0, len(rows) / most)
    return [rows[int(i * step)] for i in range(min(len(rows), most))]
