"""The state of a store's database as it is, without creating or changing anything."""

from __future__ import annotations

import time
from dataclasses import dataclass

import sqlalchemy as sa

from automl.contracts import UserError
from automl.ledger.connecting import explained
from automl.ledger.database import Database
from automl.ledger.layout import layout_of, mistake
from automl.ledger.setup import HEAD, known_revisions
from automl.ledger.store import Store


@dataclass(frozen=True)
class StoreState:
    """`revision`: of our tables, None when there are none yet; `skew`: seconds its clock is ahead of ours.

    `damage`: what SQLite found broken in the file; empty when it is sound.
    """

    server: str
    revision: str | None = None
    skew: float = 0.0
    damage: str = ""

    @property
    def is_current(self) -> bool:
        """Whether its tables are this version's."""
        return self.revision == HEAD

    @property
    def is_older(self) -> bool:
        """Whether this version can bring its tables up to date."""
        return not self.is_current and self.revision in known_revisions()


def look(store: Store) -> StoreState:
    """The state of the store's database. Raises `UserError` when it cannot be reached or is no ledger."""
    with explained(store):
        layout = layout_of(store)
        if layout is None and store.url.startswith("sqlite"):
            return StoreState("SQLite")
        if layout is not None and (wrong := mistake(store, layout, HEAD)):
            raise UserError(wrong)
        revision = None if layout is None else layout.revision
        database = Database(store.url, patience=0.0)
        try:
            return database.read(lambda connection: _state(database, connection, revision))
        finally:
            database.close()


def _state(database: Database, connection: sa.Connection, revision: str | None) -> StoreState:
    if database.dialect == "sqlite":
        found = connection.exec_driver_sql("PRAGMA quick_check(3)").scalars().all()
        version = connection.exec_driver_sql("SELECT sqlite_version()").scalar()
        return StoreState(f"SQLite {version}", revision, damage="" if found == ["ok"] else "; ".join(found))
    before = time.time()
    theirs = database.time(connection)
    skew = theirs - (before + time.time()) / 2
    version = connection.exec_driver_sql("SHOW server_version").scalar()
    return StoreState(f"PostgreSQL {version}", revision, skew)
