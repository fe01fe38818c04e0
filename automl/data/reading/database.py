"""The rows of a query on a database, some at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from automl.contracts import UserError
from automl.data.reading.grid import Grid
from automl.data.reading.typed import typed_grid

KEYS: Final = ("decimal", "thousands", "missing", "query")  # of `task.read`
NAME: Final = "the query"
_READS: Final = re.compile(r"\s*(--[^\n]*\n\s*)*(select|with|values|table|from)\b", re.IGNORECASE)
_ORDERED: Final = re.compile(r"\border\s+by\b", re.IGNORECASE)


def ordered(query: str | None) -> str:
    """The query of a study. Raises `UserError` when there is none, or it leaves the order of rows open."""
    if query is None:
        raise UserError(
            "a database must be read by a query, but task.read.query is not set; write it, such as "
            "SELECT * FROM houses ORDER BY id"
        )
    if not _ORDERED.search(query):
        raise UserError(
            "task.read.query must say in which order rows come, since they are divided by it, but got "
            f"{query!r}; end it with ORDER BY and a column that differs in all rows"
        )
    return query


def query_cells(url: str, query: str, size: int) -> Iterator[Grid]:
    """The cells of a query's rows, at most `size` at a time. Nothing is changed. Raises `UserError`."""
    import pandas as pd  # pandas takes half a second to import
    from sqlalchemy import create_engine  # takes a fifth of a second to import
    from sqlalchemy.exc import SQLAlchemyError

    if not _READS.match(query):
        raise UserError(
            f"a query must read: it begins with SELECT or WITH, but got {query[:80]!r}; correct it"
        )
    try:
        engine = create_engine(url)
    except (SQLAlchemyError, ImportError) as error:
        raise UserError(
            f"a database must have its driver, but {url}: {error}; install it, such as psycopg for "
            "PostgreSQL, and name it as in postgresql+psycopg://host/name"
        ) from error
    first = 0
    try:
        with engine.connect().execution_options(stream_results=True) as connection:
            found = connection.exec_driver_sql(query)
            names = list(found.keys())
            while rows := found.fetchmany(size):
                columns: list[Any] = [pd.Series(cells, dtype=object) for cells in zip(*rows, strict=True)]
                yield typed_grid(pd.concat(columns, axis=1).set_axis(names, axis=1), first, NAME)
                first += len(rows)
    except SQLAlchemyError as error:
        reason = str(error.__cause__ or error).splitlines()[0][:300]
        raise UserError(
            f"a query must be one that {url} answers, but: {reason}; correct task.read.query"
        ) from error
    finally:
        engine.dispose()
    if not first:
        raise UserError(f"a table must have rows, but the query has none: {query[:80]}; correct it")
