"""Statistics that a database plans its queries by: without them some take minutes among many rows.

Neither SQLite nor, within the first minute, PostgreSQL gathers them by itself.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import time
from typing import Final

import sqlalchemy as sa

from automl.ledger.database import make_engine
from automl.ledger.files import sqlite_file

_LOOKED_AT: Final = 1000  # rows of each index on SQLite: a table of any size takes milliseconds
_WAIT: Final = 1.0  # seconds for a lock; nobody waits long for this, and this for nobody
_LONGEST: Final = 60.0  # seconds on PostgreSQL, which blocks nobody meanwhile


def refresh_statistics(url: str) -> bool:
    """Gather the statistics of all tables of a database; whether that worked. A failure is logged alone."""
    log, began = logging.getLogger(__name__), time.monotonic()
    file = sqlite_file(url)
    shown = sa.make_url(url).set(query={}).render_as_string(hide_password=True)
    try:
        if file is None:
            _analyse_postgres(url)
        elif file.exists():
            with contextlib.closing(sqlite3.connect(file, timeout=_WAIT, isolation_level=None)) as connection:
                connection.execute(f"PRAGMA analysis_limit = {_LOOKED_AT}")
                connection.execute("ANALYZE")
    except (sa.exc.SQLAlchemyError, sqlite3.Error) as error:
        log.info("statistics of %s could not be gathered: %s; its queries may be slow", shown, error)
        return False
    log.debug("statistics of %s were gathered in %.2f s", shown, time.monotonic() - began)
    return True


def _analyse_postgres(url: str) -> None:
    """The tables of the schema that `url` names, each in a transaction of its own."""
    engine = make_engine(url)
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(f"SET lock_timeout = {int(1000 * _WAIT)}")
            connection.exec_driver_sql(f"SET statement_timeout = {int(1000 * _LONGEST)}")
            owned = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
            preparer = engine.dialect.identifier_preparer
            for name in connection.exec_driver_sql(owned).scalars().all():
                connection.exec_driver_sql(f"ANALYZE {preparer.quote(name)}")
    finally:
        engine.dispose()
