"""A picture of a cell: its nodes in a row, and an arrow with its operation for every edge.

For configurations whose parameters are named `edge_<source>_<target>`.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from automl.contracts import UserError
from automl.report.look import PALETTE

INK, FAINT, SOFT = "#1b1b1b", "#9a9a9a", "#6b6b6b"
INCHES = 1.0  # between two neighbouring nodes; all coordinates below are in this unit
ROOM = 0.42  # around the outermost nodes and arcs
_EDGE = re.compile(r"edge_(\d+)_(\d+)")
_PLAIN = {"none": FAINT, "skip_connect": SOFT}


def draw_cell(space: Any, config: Mapping[str, Any]) -> str:
    """SVG text of the cell `config`; the name of `space` (`{"name": …}`), where it has one, is its title.

    Edges without an operation (`none`) are dotted. Raises `UserError` for a configuration that is no cell.
    """
    edges = _edges(config)
    colours = _colours(edges.values())
    last = max(target for _, target in edges)
    bends = {edge: _bend(*edge) for edge in edges}
    low, high = min(0.0, *bends.values()) - ROOM, max(0.0, *bends.values()) + ROOM
    width = last + 2 * ROOM
    style: Any = {
        "svg.hashsalt": "cell",
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.size": 9.5,
    }
    with rc_context(style):
        figure = Figure(figsize=(INCHES * width, INCHES * (high - low)))
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set(xlim=(-ROOM, last + ROOM), ylim=(low, high))
        axes.set_axis_off()
        for edge, operation in edges.items():
            _draw_edge(axes, edge, bends[edge], operation, colours[operation])
        for node in range(last + 1):
            _draw_node(axes, node, {0: "in", last: "out"}.get(node, str(node)))
        buffer = io.StringIO()
        title = space.get("name", "cell") if isinstance(space, Mapping) else "cell"
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Title": title})
    return buffer.getvalue()


def _edges(config: Mapping[str, Any]) -> dict[tuple[int, int], str]:
    found = {}
    for name, operation in config.items():
        match = _EDGE.fullmatch(name)
        if match is None or int(match[1]) >= int(match[2]):
            raise UserError(
                f"a cell has parameters edge_<source>_<target>, source < target, but got {name!r}"
            )
        found[int(match[1]), int(match[2])] = str(operation)
    if not found:
        raise UserError("a cell has parameters edge_<source>_<target>, but got none")
    return dict(sorted(found.items()))


def _colours(operations: Iterable[str]) -> dict[str, str]:
    """One colour for each operation; as long as two do not meet on one, the same in every cell."""
    found = dict(_PLAIN)
    for operation in sorted(set(operations) - set(_PLAIN)):
        start = sum(operation.encode())
        turns = [PALETTE[(start + turn) % len(PALETTE)] for turn in range(len(PALETTE))]
        found[operation] = next((colour for colour in turns if colour not in found.values()), turns[0])
    return found


def _bend(source: int, target: int) -> float:
    """Height of an edge's apex: 0 between neighbours; longer ones go up from even nodes, down from odd."""
    span = target - source
    if span == 1:
        return 0.0
    return -0.55 * span + 0.15 if source % 2 else 0.65 * (span - 1)


def _draw_edge(axes: Axes, edge: tuple[int, int], bend: float, operation: str, colour: str) -> None:
    source, target = edge
    middle = (source + target) / 2
    quiet = operation == "none"
    arrow = FancyArrowPatch(
        (source, 0),
        (target, 0),
        connectionstyle=f"arc3,rad={-2 * bend / (target - source)}",  # its apex is at rad / 2 of its length
        arrowstyle="-" if quiet else "-|>",
        linestyle=(0, (1, 2.5)) if quiet else "-",
        linewidth=1.1 if quiet else 1.8,
        mutation_scale=12,
        color=colour,
        shrinkA=13,
        shrinkB=13,
        zorder=1,
    )
    axes.add_patch(arrow)
    label = re.sub(r"(\d)x(\d)", r"\1×\2", operation.replace("_", " "))
    head, _, tail = label.rpartition(" ")
    axes.text(
        middle,
        bend or -0.12,
        f"{head}\n{tail}" if head else tail,
        color=colour,
        ha="center",
        va="center" if bend else "top",
        linespacing=1.05,
        parse_math=False,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5} if bend else None,
        zorder=2,
    )


def _draw_node(axes: Axes, node: int, text: str) -> None:
    axes.plot(
        [node], [0], "o", markersize=23, color="white", markeredgecolor=INK, markeredgewidth=1.3, zorder=3
    )
    axes.text(node, 0, text, color=INK, ha="center", va="center_baseline", fontweight="bold", zorder=4)
