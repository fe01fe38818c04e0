"""Databases as files: creating one whole, copying one, reading the revision of its tables."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from automl.ledger.database import make_engine
from automl.ledger.store import sqlite_url


def read_revision(url: str, table: str) -> str | None:
    """The revision in Alembic's `table`; None when there is no such table or row."""
    engine = make_engine(url)
    try:
        with engine.connect() as connection:
            return read_revision_in(connection, table) if sa.inspect(connection).has_table(table) else None
    finally:
        engine.dispose()


def columns_in(connection: sa.Connection, schema: str) -> dict[str, set[str]]:
    """The columns of each table of a SQLite file, or of a `schema` of PostgreSQL, readable or not."""
    columns: dict[str, set[str]] = {}
    if connection.dialect.name == "sqlite":
        query = "SELECT m.name, p.name FROM sqlite_master m JOIN pragma_table_info(m.name) p"
    else:  # not information_schema, which hides what this user may not read
        query = (
            "SELECT c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
            "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') "
            f"AND a.attnum > 0 AND NOT a.attisdropped AND n.nspname = '{schema}'"
        )
    for table, column in connection.exec_driver_sql(query):
        columns.setdefault(table, set()).add(column)
    return columns


def read_revision_in(connection: sa.Connection, table: str) -> str | None:
    """The revision in Alembic's `table`, which exists. Several, which no version knows, are joined."""
    query = sa.select(sa.column("version_num", sa.Text)).select_from(sa.table(table))
    return ", ".join(sorted(map(str, connection.scalars(query)))) or None


def back_up(url: str) -> Path | None:
    """Copy a SQLite database with its write-ahead log into the same folder.

    The copy has its name once it is whole: a process that is killed leaves a `.partial` one.
    """
    path = sqlite_file(url)
    if path is None or not path.exists():
        return None
    copy = path.with_name(f"{path.name}.backup-{time.strftime('%Y%m%d-%H%M%S')}")
    partial = copy.with_name(f"{copy.name}.partial")
    partial.unlink(missing_ok=True)
    with (
        contextlib.closing(sqlite3.connect(path)) as source,
        contextlib.closing(sqlite3.connect(partial)) as target,
    ):
        source.backup(target)
    partial.replace(copy)
    return copy


def create_whole(path: Path, fill: Callable[[str], None]) -> None:
    """Create a SQLite database atomically for other processes; `fill` gets the URL of a draft.

    What a deleted one of that name has left is removed: its write-ahead log would damage the new one.
    """
    draft = path.with_name(f"{path.name}.draft")
    for leftover in path.parent.glob(f"{draft.name}*"):
        leftover.unlink()
    fill(sqlite_url(draft))
    with contextlib.closing(sqlite3.connect(draft)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    for leftover in beside(path):
        logging.getLogger(__name__).warning("%s was deleted; its %s is removed too", path, leftover.name)
        leftover.unlink(missing_ok=True)
    draft.replace(path)


def beside(path: Path) -> list[Path]:
    """The files that belong to a SQLite database: its write-ahead log and what goes with it."""
    files = [path.with_name(f"{path.name}-{kind}") for kind in ("wal", "shm", "journal")]
    return [file for file in files if file.exists()]


def is_damaged(path: Path) -> bool:
    """Whether a file that should be a SQLite database is none, or has a broken structure."""
    try:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            return connection.execute("PRAGMA quick_check(1)").fetchall() != [("ok",)]
    except sqlite3.DatabaseError as error:
        return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite URL; None for other databases."""
    if not url.startswith("sqlite"):
        return None
    return Path(sa.make_url(url).database or "")
