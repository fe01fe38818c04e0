"""Figures of one one-shot search as SVG: its course over the epochs, the strengths of every edge."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any, Final, Literal

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from automl.report.charts.cell import FAINT, INK, operation_colours
from automl.report.charts.course import Course, EpochValue
from automl.report.charts.look import PALETTE

PANEL: Final = (2.6, 1.9)  # inches
COLUMNS: Final = 4
STYLE: Any = {
    "svg.hashsalt": "health",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
}
_PANELS: Final = (  # title, curves with their labels
    ("largest eigenvalue", {"eigenvalue": ""}),
    ("derived skip connections", {"skips": ""}),
    ("accuracy, shared weights", {"supernet_accuracy": "supernet", "path_accuracy": "discretised"}),
    ("entropy of the strengths, nats", {"entropy": ""}),
)


def course_picture(course: Course) -> str | None:
    """SVG of eigenvalue, skip connections, discretisation gap and entropy over the epochs.

    The epoch of the alarm is marked, and the one that the search went back to.
    """
    curves = course.curves
    panels = [(title, names) for title, names in _PANELS if any(name in curves for name in names)]
    if not panels:
        return None
    with rc_context(STYLE):
        figure = Figure(figsize=(PANEL[0] * len(panels), PANEL[1] + 0.25), layout="constrained")
        for number, (title, names) in enumerate(panels, start=1):
            axes = figure.add_subplot(1, len(panels), number)
            for (name, label), colour in zip(names.items(), PALETTE, strict=False):
                points = curves.get(name, ())
                marker = "o" if len(points) < 30 else ""
                x, y = _columns(points)
                axes.plot(
                    x, y, color=colour, linewidth=1.4, label=label or None, marker=marker, markersize=2.5
                )
            if len(names) > 1:
                axes.legend(frameon=False)
            _finish(axes, title, course, named=number == 1)
        return _svg(figure)


def strengths_picture(course: Course) -> str | None:
    """SVG of the strength of every operation over the epochs, a panel for each edge."""
    strengths, epochs = course.strengths, course.strength_epochs
    if not strengths:
        return None
    operations = list(dict.fromkeys(name for edge in strengths.values() for name in edge))
    colours = operation_colours(operations)
    highest = max(max(values) for edge in strengths.values() for values in edge.values())
    columns = min(len(strengths), 7 if len(strengths) > 12 else COLUMNS - 1)
    rows = -(-len(strengths) // columns)
    with rc_context(STYLE):
        figure = Figure(figsize=(PANEL[0] * 0.8 * columns, PANEL[1] * 0.8 * rows + 0.5), layout="constrained")
        for number, (edge, values) in enumerate(strengths.items(), start=1):
            axes = figure.add_subplot(rows, columns, number)
            for name, curve in values.items():
                axes.plot(epochs, curve, color=colours[name], linewidth=1.4, linestyle=_shape(name))
            axes.set_ylim(0, 1.05 * highest)
            _finish(axes, edge.replace("_", " "), course, named=False)
            if number <= len(strengths) - columns:
                axes.set_xlabel("")
        handles = [
            Line2D([], [], color=colours[name], label=name, linestyle=_shape(name)) for name in operations
        ]
        figure.legend(handles=handles, loc="outside upper center", ncols=columns, frameon=False)
        return _svg(figure)


def _shape(operation: str) -> Literal[":", "-"]:
    return ":" if operation == "none" else "-"


def _columns(points: Sequence[EpochValue]) -> tuple[list[int], list[float]]:
    values = [math.nan if point.value is None else point.value for point in points]
    return [point.epoch for point in points], values


def _finish(axes: Axes, title: str, course: Course, *, named: bool) -> None:
    """Title, axis, and the epochs of the alarm (solid) and of the way back (dashed)."""
    axes.set_title(title, loc="left", parse_math=False)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    marks = [(course.alarm, "alarm", "#d55e00", "-"), (course.rollback, "rollback", INK, "--")]
    for epoch, label, colour, shape in marks:
        if epoch is not None:
            axes.axvline(epoch, color=colour, linestyle=shape, linewidth=1.0, zorder=0)
            if named:
                place = axes.get_xaxis_transform()
                axes.text(epoch, 1.0, f" {label}", color=colour, va="top", fontsize=7.5, transform=place)
    axes.tick_params(colors=INK, width=0.6)
    axes.grid(color=FAINT, alpha=0.25, linewidth=0.5)


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()
