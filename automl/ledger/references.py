"""Whether rows of the ledger refer to rows that are there.

PostgreSQL sees to that itself. SQLite does so for our connections, but not for those of other programs.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from automl.contracts import RunError
from automl.ledger.database import Database
from automl.ledger.reader import ADVICE, short
from automl.ledger.tables import metadata

_MANY = 5  # rows that are named


class References:
    """The part of the ledger that finds rows whose campaign, search or trial is missing."""

    _db: Database

    def dangling(self) -> list[str]:
        """Rows that refer to rows that are not there, in words."""
        if self._db.dialect != "sqlite":
            return []
        return self._db.read(_dangling)

    def check_references(self) -> None:
        """Raise `RunError` when there are such rows: no report or record of them would be whole."""
        found = self.dangling()
        if found:
            more = f" and {len(found) - _MANY} more" if len(found) > _MANY else ""
            raise RunError(f"the ledger is damaged: {'; '.join(found[:_MANY])}{more}; {ADVICE}")


def _dangling(connection: sa.Connection) -> list[str]:
    found = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    return [_named(connection, table, rowid, parent) for table, rowid, parent, _ in found]


def _named(connection: sa.Connection, name: str, rowid: int, parent: str) -> str:
    table = metadata.tables[name]
    raw: Any = (
        connection.exec_driver_sql(f'SELECT * FROM "{name}" WHERE rowid = ?', (rowid,)).mappings().one()
    )
    keys = ", ".join(short(raw[column.name]) for column in table.primary_key)
    (reference,) = (key for key in table.foreign_keys if key.column.table.name == parent)
    held = f"{reference.parent.name} {short(raw[reference.parent.name])}"
    return f"{name} {keys} must belong to one of the {parent}, but there is no {held}"
