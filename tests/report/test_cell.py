"""The picture of a cell: one arrow and label per edge, plain SVG, refusals."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest

from automl.contracts import UserError
from automl.report.cell import _colours, draw_cell

OPERATIONS = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]
CELL = {
    "edge_0_1": "nor_conv_1x1",
    "edge_0_2": "skip_connect",
    "edge_1_2": "nor_conv_3x3",
    "edge_0_3": "avg_pool_3x3",
    "edge_1_3": "none",
    "edge_2_3": "nor_conv_3x3",
}


def texts(svg: str) -> list[str]:
    """All text of the picture, read as XML."""
    return [
        "".join(element.itertext()).strip()
        for element in ElementTree.fromstring(svg).iter()
        if "text" in element.tag
    ]


def test_every_node_and_operation_is_named() -> None:
    found = texts(draw_cell({"name": "nasbench201"}, CELL))
    for text in ("in", "1", "2", "out", "none", "skip", "connect", "1×1", "avg pool"):
        assert text in found
    assert found.count("nor conv") == 3 and found.count("3×3") == 3
    assert "nasbench201" in draw_cell({"name": "nasbench201"}, CELL)


def test_the_same_cell_gives_the_same_bytes() -> None:
    assert draw_cell(None, CELL) == draw_cell(None, dict(reversed(CELL.items())))


def test_one_dotted_line_for_each_none() -> None:
    svg = draw_cell(None, CELL)
    assert svg.count("stroke-dasharray") == 1
    assert draw_cell(None, {**CELL, "edge_0_1": "none"}).count("stroke-dasharray") == 2


def test_an_operation_has_one_colour_in_all_cells() -> None:
    together = _colours(OPERATIONS)
    assert len(set(together.values())) == len(OPERATIONS)
    for pair in itertools.combinations(OPERATIONS, 2):
        assert all(_colours(pair)[operation] == together[operation] for operation in pair)


def test_text_is_escaped() -> None:
    svg = draw_cell({"name": "<script>"}, {"edge_0_1": "<script>alert(1)</script> & $x$"})
    assert "<script>" not in svg
    assert any("$x$" in text for text in texts(svg))


@pytest.mark.parametrize(
    "config", [{}, {"lr": 0.1}, {"edge_1_0": "none"}, {"edge_1_1": "none"}, {**CELL, "depth": 2}]
)
def test_what_is_no_cell_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="edge_<source>_<target>"):
        draw_cell(None, config)
