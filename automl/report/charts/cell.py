"""A picture of a cell: its nodes in a row, and an arrow with its operation for every edge.

For configurations whose parameters are named `edge_<source>_<target>`, and for pairs of cells as in DARTS:
`normal_<source>_<target>` and `reduce_<source>_<target>` beside `normal_inputs_<target>` and so on, where
nodes 0 and 1 are the outputs of the two cells before, and the output is all other nodes side by side.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from automl.contracts import Scalar, UserError
from automl.report.charts.look import PALETTE

INK, FAINT, SOFT = "#1b1b1b", "#9a9a9a", "#6b6b6b"
INCHES = 1.0  # between two neighbouring nodes; all coordinates below are in this unit
WIDER = 1.3  # times that where a cell has many nodes
ROOM = 0.42  # around the outermost nodes and arcs
HEADING = 0.35  # above each of several cells
_EDGE = re.compile(r"(edge|normal|reduce)_(\d+)_(\d+)")
_INPUTS = re.compile(r"(normal|reduce)_inputs_\d+")
_PLAIN = {"none": FAINT, "skip_connect": SOFT}
_BEFORE = {0: "k−2", 1: "k−1"}  # nodes of a DARTS cell that are outputs of earlier cells

Edges = dict[tuple[int, int], str]


def draw_cell(config: Mapping[str, Scalar], title: str = "cell") -> str:
    """SVG text of the cells of `config`, with a title.

    Edges without an operation (`none`) are dotted. Raises `UserError` for a configuration that is no cell.
    """
    cells = _cells(config)
    colours = operation_colours(operation for edges in cells.values() for operation in edges.values())
    rows = [_Row.of(kind, edges) for kind, edges in cells.items()]
    wider = 1.0 if "edge" in cells else WIDER
    last = max(row.last for row in rows)
    width, height = last + 2 * ROOM, sum(row.high - row.low for row in rows)
    style: Any = {
        "svg.hashsalt": "cell",
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.size": 9.5,
    }
    with rc_context(style):
        figure = Figure(figsize=(INCHES * wider * width, INCHES * height))
        top = 1.0
        for row in rows:
            part = (row.high - row.low) / height
            top -= part
            axes = figure.add_axes((0.0, top, 1.0, part))
            axes.set(xlim=(-ROOM, last + ROOM), ylim=(row.low, row.high))
            axes.set_axis_off()
            row.draw(axes, colours, wider)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Title": title})
    return buffer.getvalue()


@dataclass(frozen=True)
class _Row:
    """One cell, from `low` to `high` with the room around it."""

    kind: str
    edges: Edges
    bends: dict[tuple[int, int], float]
    low: float
    high: float

    @classmethod
    def of(cls, kind: str, edges: Edges) -> _Row:
        bends = {edge: _bend(*edge) for edge in edges}
        heading = 0.0 if kind == "edge" else HEADING
        low, high = min(0.0, *bends.values()) - ROOM, max(0.0, *bends.values()) + ROOM + heading
        return cls(kind, edges, bends, low, high)

    @property
    def last(self) -> int:
        return max(target for _, target in self.edges)

    def draw(self, axes: Axes, colours: Mapping[str, str], wider: float) -> None:
        for edge, operation in self.edges.items():
            # the apex of arc3 is at rad / 2 of its length
            rad = -2 * self.bends[edge] / ((edge[1] - edge[0]) * wider)
            _draw_edge(axes, edge, (self.bends[edge], rad), operation, colours[operation])
        alone = self.kind == "edge"
        names = {0: "in", self.last: "out"} if alone else _BEFORE
        for node in range(self.last + 1):
            _draw_node(axes, node, names.get(node, str(node)), soft=not alone and node in _BEFORE)
        if not alone:
            heading = {"normal": "normal cell", "reduce": "reduction cell"}[self.kind]
            left, top = -ROOM + 0.08, self.high - 0.1
            axes.text(left, top, heading, color=INK, ha="left", va="top", fontweight="bold")


def _cells(config: Mapping[str, Scalar]) -> dict[str, Edges]:
    """Edges with their operations, by kind of cell."""
    cells: dict[str, Edges] = {}
    for name, operation in config.items():
        match = _EDGE.fullmatch(name)
        if match is not None and int(match[2]) < int(match[3]):
            cells.setdefault(match[1], {})[int(match[2]), int(match[3])] = str(operation)
        elif not _INPUTS.fullmatch(name):
            raise UserError(
                f"a cell has parameters edge_<source>_<target>, source < target, but got {name!r}"
            )
    if not cells or ("edge" in cells and len(cells) > 1):
        raise UserError("a cell has parameters edge_<source>_<target>, or those of DARTS, but got neither")
    return {kind: dict(sorted(edges.items())) for kind, edges in sorted(cells.items())}


def operation_colours(operations: Iterable[str]) -> dict[str, str]:
    """One colour for each operation; as long as two do not meet on one, the same in every cell."""
    colours = dict(_PLAIN)
    for operation in sorted(set(operations) - set(_PLAIN)):
        start = sum(operation.encode())
        turns = [PALETTE[(start + turn) % len(PALETTE)] for turn in range(len(PALETTE))]
        colours[operation] = next((colour for colour in turns if colour not in colours.values()), turns[0])
    return colours


def _bend(source: int, target: int) -> float:
    """Height of an edge's apex: 0 between neighbours; longer ones go up from even nodes, down from odd."""
    span = target - source
    if span == 1:
        return 0.0
    return -0.55 * span + 0.15 if source % 2 else 0.65 * (span - 1)


def _draw_edge(
    axes: Axes, edge: tuple[int, int], shape: tuple[float, float], operation: str, colour: str
) -> None:
    (source, target), (bend, rad) = edge, shape
    middle = (source + target) / 2
    quiet = operation == "none"
    arrow = FancyArrowPatch(
        (source, 0),
        (target, 0),
        connectionstyle=f"arc3,rad={rad}",
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


def _draw_node(axes: Axes, node: int, text: str, *, soft: bool) -> None:
    colour = SOFT if soft else INK
    axes.plot(
        [node], [0], "o", markersize=23, color="white", markeredgecolor=colour, markeredgewidth=1.3, zorder=3
    )
    size = 8.0 if soft else 9.5
    label = axes.text(node, 0, text, color=colour, ha="center", va="center_baseline", fontsize=size, zorder=4)
    label.set_fontweight("bold")
