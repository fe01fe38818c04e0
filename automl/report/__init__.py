"""Comparison, statistics, plots and HTML."""
