"""Whether a database holds a ledger: its revision, and all tables and columns of this version."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from automl.contracts import UserError
from automl.ledger.database import make_engine
from automl.ledger.files import columns_in, read_revision_in, sqlite_file
from automl.ledger.store import Store
from automl.ledger.tables import SCHEMA, metadata

VERSION_TABLE: Final = "automl_alembic_version"
SHOWN: Final = 4  # tables that are named in one line
RESTORE: Final = "stop what uses it, and restore a backup (mlflow/restore.sh)"


@dataclass(frozen=True)
class Layout:
    """What a database has: `revision` of our tables, `tables` by name, `lacking` ones and columns of ours."""

    revision: str | None
    tables: frozenset[str]
    lacking: tuple[str, ...]


def layout_of(store: Store) -> Layout | None:
    """The layout of the ledger's database; None where there is none yet. Raises errors of the database.

    Raises `UserError` when the name of the file leads nowhere.
    """
    file = sqlite_file(store.url)
    if file is not None and not is_there(file):
        return None
    engine = make_engine(store.url)
    try:
        with engine.connect() as connection:
            found = layout_in(connection)
    finally:
        engine.dispose()
    return found if file is not None or found.tables or found.revision else None


def layout_in(connection: sa.Connection) -> Layout:
    """The layout of an open database."""
    columns = columns_in(connection, SCHEMA)
    revision = read_revision_in(connection, VERSION_TABLE) if VERSION_TABLE in columns else None
    lacking = []
    for table in metadata.sorted_tables:
        if table.name not in columns:
            lacking.append(table.name)
        else:
            lacking += [f"{table.name}.{c.name}" for c in table.columns if c.name not in columns[table.name]]
    return Layout(revision, frozenset(columns), tuple(lacking))


def is_there(file: Path) -> bool:
    """Whether a database file exists. Raises `UserError` for a link that leads nowhere."""
    if file.is_symlink() and not file.exists():
        raise UserError(
            f"the store must be a SQLite database, but {str(file)!r} is a link to {str(file.readlink())!r}, "
            "where nothing is; make that available again (a disk that is not mounted?), or remove the link"
        )
    return file.exists()


def mistake(store: Store, layout: Layout, head: str) -> str:
    """Why a database cannot be the ledger of this version, and what to do; "" when nothing speaks against it.

    `head`: the revision at which nothing may be lacking.
    """
    if layout.revision == head and layout.lacking:
        return (
            f"the ledger must have all tables of its revision {head}, but {store.shown} lacks "
            f"{listed(layout.lacking)}; {RESTORE}"
        )
    if layout.revision is not None:
        return ""
    if not layout.tables:
        return (
            f"the ledger must be a database that automl made, but {store.shown} is empty: what it held is "
            f"lost, unless a backup is restored (mlflow/restore.sh); to begin anew, move that file away"
        )
    ours = layout.tables & {VERSION_TABLE, *metadata.tables}
    if ours:
        return (
            f"the ledger must say of which revision its tables are, but {VERSION_TABLE} of {store.shown} is "
            f"missing or empty, while {listed(sorted(ours))} are there; {RESTORE}"
        )
    return (
        f"the ledger must be a database that automl made, but {store.shown} is another program's, with the "
        f"tables {listed(sorted(layout.tables))}; name another place in AUTOML_STORE"
    )


def listed(names: Collection[str]) -> str:
    """Names in one line, the first of many."""
    names = list(names)
    rest = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + rest
