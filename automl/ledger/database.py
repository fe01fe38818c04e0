"""One SQL database: its engine, and transactions that survive locks and restarts of the server."""

from __future__ import annotations

import logging
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import sqlalchemy as sa

from automl.contracts import RunError
from automl.ledger import errors
from automl.ledger.interrupts import whole
from automl.moments import moment, written_by

T = TypeVar("T")
PATIENCE: Final = 60.0  # seconds a transaction is retried
CONNECT_TIMEOUT: Final = 10  # seconds


class Database:
    """Short transactions on SQLite or PostgreSQL, retried while a failure may be temporary."""

    def __init__(
        self, url: str, *, patience: float | None = None, subject: errors.Subject = errors.LEDGER
    ) -> None:
        self._patience, self._subject = PATIENCE if patience is None else patience, subject
        self._engine = make_engine(url)
        self._writer = self._engine.execution_options(automl_write=True)
        self._quick_writer = self._engine.execution_options(automl_write=True, automl_synced=False)
        self.dialect = self._engine.dialect.name
        self._name = self._engine.url.set(query={}).render_as_string(hide_password=True)
        self._file = Path(self._engine.url.database or "") if self.dialect == "sqlite" else None
        self._identity: tuple[int, int] | None = None  # of that file

    def read(self, work: Callable[[sa.Connection], T]) -> T:
        """What `work` returns from one reading transaction."""
        return self._retried(self._engine, work)

    def write(self, work: Callable[[sa.Connection], T], *, synced: bool = True) -> T:
        """What `work` returns from one committed transaction.

        With `synced=False` SQLite may lose it in a power failure (never in the death of a process)
        when no synced commit has followed; it takes a quarter of the time.

        When the answer of a commit was lost, `work` runs again on the committed data and must
        recognise its own writing. Raises `RunError` when the database stays unavailable.
        """
        name = written_by(work)

        def watched(connection: sa.Connection) -> T:
            result = work(connection)
            moment("transaction.commit", name)
            return result

        moment("transaction.begin", name)
        result = self._retried(self._writer if synced else self._quick_writer, watched)
        moment("transaction.end", name)
        return result

    def time(self, connection: sa.Connection, given: float | None = None) -> float:
        """POSIX seconds by the clock that all users of this database share, or those `given`."""
        if given is not None:
            return given
        if self.dialect == "sqlite":
            return time.time()
        return float(connection.scalar(sa.select(sa.extract("epoch", sa.func.clock_timestamp()))) or 0.0)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def _retried(self, engine: sa.Engine, work: Callable[[sa.Connection], T]) -> T:
        deadline = time.monotonic() + self._patience
        pause = 0.01
        while True:
            try:
                self._check_file()
                with whole(), engine.begin() as connection:
                    return work(connection)
            except sa.exc.DBAPIError as error:
                if not errors.is_passing(error) or time.monotonic() + pause > deadline:
                    told = errors.explained(error, self._name, self._subject)
                    if told is None:
                        raise
                    raise RunError(told) from error
            time.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, 1.0)

    def _check_file(self) -> None:
        """Raise `RunError` when another file, or none, has the place of the one that is open.

        SQLite would go on writing into a file that nobody can open any more.
        """
        if self._file is None:
            return
        try:
            found = self._file.stat()
        except FileNotFoundError:
            if self._identity is not None:
                raise RunError(errors.gone(self._name, "there is no such file", self._subject)) from None
            return
        identity = found.st_dev, found.st_ino
        self._identity = self._identity or identity
        if identity != self._identity:
            raise RunError(errors.gone(self._name, "another file has its name", self._subject))


def make_engine(url: str) -> sa.Engine:
    """An engine whose SQLite connections are durable (WAL, synced commits) and wait for locks."""
    if not url.startswith("sqlite"):
        logging.getLogger("psycopg").setLevel(logging.ERROR)  # it warns about connections that broke
        return sa.create_engine(url, connect_args={"connect_timeout": CONNECT_TIMEOUT})
    engine = sa.create_engine(url, connect_args={"timeout": PATIENCE})
    sa.event.listen(engine, "connect", _configure_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # transactions begin below, DDL included
    with _cursor(connection) as cursor:
        cursor.execute(f"PRAGMA busy_timeout = {int(1000 * PATIENCE)}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA temp_store = MEMORY")  # a full or missing /tmp is no matter here


@contextmanager
def _cursor(connection: sqlite3.Connection) -> Iterator[sqlite3.Cursor]:
    cursor = connection.cursor()
    try:
        yield cursor
    finally:
        cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    options = connection.get_execution_options()
    synced = options.get("automl_synced", True)
    # a deferred transaction that turns into a writing one can fail at once instead of waiting
    begin = "BEGIN IMMEDIATE" if options.get("automl_write", False) else "BEGIN"
    # straight to sqlite3: the way through SQLAlchemy costs more than the rest of a transaction
    driver: Any = connection.connection.dbapi_connection
    try:
        if connection.info.get("synced", True) is not synced:
            driver.execute(f"PRAGMA synchronous = {'FULL' if synced else 'NORMAL'}")
            connection.info["synced"] = synced
        driver.execute(begin)
    except sqlite3.OperationalError as error:
        raise sa.exc.OperationalError(begin, None, error) from error
