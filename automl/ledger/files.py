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
            if not sa.inspect(connection).has_table(table):
                return None
            return connection.scalar(sa.select(sa.column("version_num")).select_from(sa.table(table)))
    finally:
        engine.dispose()


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
