"""Pictures of a winner and of a one-shot search, where there is something to draw."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from html import escape
from typing import Final

from automl.contracts import Scalar, UserError
from automl.report.charts.course import Course

_WIDTH = re.compile(r'<svg [^>]*?width="([\d.]+)pt"')
SMALLEST: Final = 0.8  # pixels of a point of the picture, so that its texts can be read


def cell_picture(config: Mapping[str, Scalar], title: str = "cell") -> str | None:
    """SVG text of the cells of `config` (see `charts.cell`); None for a configuration that is no cell."""
    if not config or not all(name.startswith(("edge_", "normal_", "reduce_")) for name in config):
        return None
    # matplotlib takes a while to import
    from automl.report.charts.cell import draw_cell

    try:
        return draw_cell(config, title)
    except UserError:
        return None


def course_pictures(course: Course) -> dict[str, str]:
    """SVG texts of a one-shot search by name: its `course` and the `strengths` of its operations."""
    # matplotlib takes a while to import
    from automl.report.charts.supernet_course import course_picture, strengths_picture

    pictures = {"course": course_picture(course), "strengths": strengths_picture(course)}
    return {name: svg for name, svg in pictures.items() if svg}


def embedded(svg: str, alt: str) -> str:
    """An SVG as an HTML image, in which no script can run. It scrolls where it would become too small."""
    picture = base64.b64encode(svg.encode()).decode()
    found = _WIDTH.search(svg)
    least = f' style="min-width:{SMALLEST * float(found[1]):.0f}px"' if found else ""
    image = f'<img alt="{escape(alt)}"{least} src="data:image/svg+xml;base64,{picture}">'
    return f'<div class="scroll">{image}</div>'
