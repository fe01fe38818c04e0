"""Comparison, statistics, plots and HTML."""

from automl.report.campaign_report import CampaignReport
from automl.report.charts.pictures import cell_picture, course_pictures
from automl.report.collect import collect
from automl.report.html import html
from automl.report.nothing import nothing_found
from automl.report.remembered import memory_lines
from automl.report.terminal import terminal

__all__ = [
    "CampaignReport",
    "cell_picture",
    "collect",
    "course_pictures",
    "html",
    "memory_lines",
    "nothing_found",
    "terminal",
]
