"""Comparison, statistics, plots and HTML."""

from automl.report.collect import collect

__all__ = ["collect"]
