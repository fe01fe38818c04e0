"""Pictures of a winner and of a one-shot search, where there is something to draw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from automl.contracts import UserError


def cell_picture(space: Any, config: Mapping[str, Any] | None) -> str | None:
    """SVG text of a cell, or of the two of DARTS (see `report.cell`); None for any other configuration."""
    if not config or not all(name.startswith(("edge_", "normal_", "reduce_")) for name in config):
        return None
    from automl.report.charts.cell import draw_cell  # matplotlib takes a while to import

    try:
        return draw_cell(space, config)
    except UserError:
        return None


def health_pictures(entry: Mapping[str, Any]) -> dict[str, str]:
    """SVG texts by name of the course and strengths of a one-shot search (an entry of `collect`'s health)."""
    from automl.report.charts.supernet_course import course_picture, strengths_picture

    found = {"course": course_picture(entry), "strengths": strengths_picture(entry)}
    return {name: svg for name, svg in found.items() if svg}
