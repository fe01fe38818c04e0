"""Comparison, statistics, plots and HTML."""

from automl.report.campaign_report import CampaignReport
from automl.report.charts.pictures import cell_picture, course_pictures
from automl.report.collect import collect, settled_verdicts
from automl.report.html import html
from automl.report.nothing import arms_without_result, nothing_found
from automl.report.remembered import memory_lines
from automl.report.terminal import terminal
from automl.report.verdicts import BASELINE

__all__ = [
    "BASELINE",
    "CampaignReport",
    "arms_without_result",
    "cell_picture",
    "collect",
    "course_pictures",
    "html",
    "memory_lines",
    "nothing_found",
    "settled_verdicts",
    "terminal",
]
