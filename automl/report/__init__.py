"""Comparison, statistics, plots and HTML."""

from automl.report.charts.pictures import cell_picture, health_pictures
from automl.report.collect import collect
from automl.report.html import html
from automl.report.terminal import terminal

__all__ = ["cell_picture", "collect", "health_pictures", "html", "terminal"]
