"""Databases as files: creating one whole, copying one, reading the revision of its tables."""

from __future__ import annotations

import contextlib
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
    """Copy a SQLite database with its write-ahead log into the same folder."""
    path = sqlite_file(url)
    if path is None or not path.exists():
        return None
    copy = path.with_name(f"{path.name}.backup-{time.strftime('%Y%m%d-%H%M%S')}")
    with (
        contextlib.closing(sqlite3.connect(path)) as source,
        contextlib.closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)
    return copy


def create_whole(path: Path, fill: Callable[[str], None]) -> None:
    """Create a SQLite database atomically for other processes; `fill` gets the URL of a draft."""
    draft = path.with_name(f"{path.name}.draft")
    for leftover in path.parent.glob(f"{draft.name}*"):
        leftover.unlink()
    fill(sqlite_url(draft))
    with contextlib.closing(sqlite3.connect(draft)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.replace(path)


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite URL; None for other databases."""
    if not url.startswith("sqlite"):
        return None
    return Path(sa.make_url(url).database or "")
