"""The figures of a report by name, as objects of plotly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from automl.contracts import UserError
from automl.report.campaign_report import CampaignReport
from automl.report.charts.anytime import anytime
from automl.report.charts.arms_figures import differences, side_by_side
from automl.report.charts.look import Figure
from automl.report.charts.parallel import parallel
from automl.report.charts.search_figures import importance, pareto


def _pareto(report: CampaignReport) -> Figure | None:
    return pareto(report, 1) if len(report.settings.metrics) > 1 else None


FIGURES: Final[Mapping[str, Callable[[CampaignReport], Figure | None]]] = {
    "anytime": anytime,
    "differences": differences,
    "levels": side_by_side,
    "importance": importance,
    "parallel": parallel,
    "pareto": _pareto,
}


def figure(report: CampaignReport, name: str) -> Any:
    """A `plotly.graph_objects.Figure`. Raises `UserError` for an unknown name, without plotly or results."""
    known = ", ".join(FIGURES)
    if name not in FIGURES:
        raise UserError(f"a figure must be one of {known}, but got {name!r}; take one of those")
    drawn = FIGURES[name](report)
    if drawn is None:
        raise UserError(
            f"the figure {name!r} needs results that {report.campaign} does not have (yet); known: {known}"
        )
    try:  # an extra, which takes a while to import
        from plotly.graph_objects import Figure as PlotlyFigure
    except ImportError as error:
        raise UserError(
            "figures in Python need plotly, which is not installed; install it with: "
            "pip install 'automl-orchestrator[figures]' (the HTML report needs none)"
        ) from error
    return PlotlyFigure(data=drawn["data"], layout=drawn["layout"])
