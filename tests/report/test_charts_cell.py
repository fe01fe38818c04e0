"""The picture of a cell: one arrow and label per edge, plain SVG, refusals."""

from __future__ import annotations

import itertools
import random
import re
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest

from automl import plugins
from automl.contracts import UserError
from automl.report.charts.cell import draw_cell, operation_colours
from automl.report.charts.pictures import cell_picture

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
    found = texts(draw_cell(CELL, "nasbench201"))
    for text in ("in", "1", "2", "out", "none", "skip", "connect", "1×1", "avg pool"):
        assert text in found
    assert found.count("nor conv") == 3 and found.count("3×3") == 3
    assert "nasbench201" in draw_cell(CELL, "nasbench201")


def test_the_same_cell_gives_the_same_bytes() -> None:
    assert draw_cell(CELL) == draw_cell(dict(reversed(CELL.items())))


def test_one_dotted_line_for_each_none() -> None:
    svg = draw_cell(CELL)
    assert svg.count("stroke-dasharray") == 1
    assert draw_cell({**CELL, "edge_0_1": "none"}).count("stroke-dasharray") == 2


def test_an_operation_has_one_colour_in_all_cells() -> None:
    together = operation_colours(OPERATIONS)
    assert len(set(together.values())) == len(OPERATIONS)
    for pair in itertools.combinations(OPERATIONS, 2):
        assert all(operation_colours(pair)[operation] == together[operation] for operation in pair)


def test_text_is_escaped() -> None:
    svg = draw_cell({"edge_0_1": "<script>alert(1)</script> & $x$"}, "<script>")
    assert "<script>" not in svg
    assert any("$x$" in text for text in texts(svg))


def test_both_cells_of_darts_are_drawn() -> None:
    """Two edges into each node, one arrow and one label for each; the parameters of inputs are no edges."""
    config = plugins.load("spaces", "darts").sample(random.Random(0))
    picture = cell_picture(config, "darts")
    assert picture is not None
    found = texts(picture)
    assert "normal cell" in found and "reduction cell" in found
    assert [found.count(node) for node in ("k−2", "k−1", "2", "5", "in", "out")] == [2, 2, 2, 2, 0, 0]
    operations = [str(value) for name, value in config.items() if "inputs" not in name]
    assert len(operations) == 16
    heads = [re.sub(r"(\d)x(\d)", r"\1×\2", name).replace("_", " ").rpartition(" ")[0] for name in operations]
    assert sum(found.count(head) for head in set(heads)) == 16
    assert cell_picture({"normal_inputs_3": "0,1"}) is None


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"edge_0_1": "none", "normal_0_2": "none"},
        {"lr": 0.1},
        {"edge_1_0": "none"},
        {"edge_1_1": "none"},
        {**CELL, "depth": 2},
    ],
)
def test_what_is_no_cell_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="edge_<source>_<target>"):
        draw_cell(config)
