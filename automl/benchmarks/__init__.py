"""Tabular benchmarks: files that hold the result of every configuration, read column by column."""

from automl.benchmarks.files import file_digest, find_file
from automl.benchmarks.table import Column, Table, load_table, table_space

__all__ = ["Column", "Table", "file_digest", "find_file", "load_table", "table_space"]
