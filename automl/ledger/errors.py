"""What the errors of a database mean: whether to try again, and what to tell the user."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

# SQLSTATE: deadlock, serialisation; classes 08 (connection), 57 (operator), 53 (resources)
_PASSING_STATES: Final = ("40001", "40P01", "08", "57P", "53")
_NOT_ALLOWED: Final = ("42501", "25006")  # SQLSTATE: no privilege, a read-only transaction
_NO_TABLE: Final = "42P01"
_NO_COLUMN: Final = "42703"
_BROKEN: Final = "XX"  # class: damaged data, or an error inside the server
DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
NOT_WRITABLE: Final = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN)


def is_passing(error: sa.exc.DBAPIError) -> bool:
    """Whether the same transaction may succeed a little later."""
    if isinstance(error.orig, sqlite3.Error):
        return sqlite_code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    if error.connection_invalidated:
        return True
    state = _state(error)
    if state is None:  # no answer at all: the connection could not be made, or broke
        return isinstance(error, sa.exc.OperationalError)
    return state.startswith(_PASSING_STATES)


@dataclass(frozen=True)
class Subject:
    """What a database is to the user: its name, what to do when it is damaged, and what its loss means."""

    title: str
    damaged: str
    lost: str


LEDGER: Final = Subject(
    "the ledger",
    "stop what uses it and restore a backup (mlflow/restore.sh)",
    "what it held is lost, unless a backup is restored (mlflow/restore.sh); MLflow keeps what it was sent",
)

MLFLOW: Final = Subject("MLflow's database", *2 * ("a repair writes it anew from the ledger",))


def explained(error: sa.exc.DBAPIError, name: str, subject: Subject = LEDGER) -> str | None:
    """What is wrong with the database `name` and what to do; None for an error of this program."""
    reason, state, code = first_line(error), _state(error) or "", sqlite_code(error)
    if code in DAMAGED or state.startswith(_BROKEN):
        return f"{subject.title} must be sound, but {name} is damaged: {reason}; {subject.damaged}"
    if code in NOT_WRITABLE or state in _NOT_ALLOWED:
        return (
            f"{subject.title} must be writable for this user, but {name} is not: {reason}; give this user "
            "the right to read and write all of it, then run the same command"
        )
    missing = code == sqlite3.SQLITE_ERROR
    if state == _NO_TABLE or (missing and reason.startswith("no such table")):
        return gone(name, reason, subject)
    if state == _NO_COLUMN or (missing and reason.startswith("no such column")):
        return (
            f"{subject.title} must keep its columns, but those of {name} were changed by another program: "
            f"{reason}; {subject.damaged}"
        )
    if isinstance(error, sa.exc.OperationalError):
        return (
            f"{subject.title} must be available, but {name} could not be read or written: {reason}; "
            "everything it had acknowledged is safe; make the database available again (space, server, "
            "locks), then run the same command"
        )
    return None


def gone(name: str, reason: str, subject: Subject = LEDGER) -> str:
    """The message for a database that was there, and is not any more."""
    told = "was deleted, emptied or replaced while it was in use"
    return f"{subject.title} {name} {told} ({reason}): {subject.lost}"


def first_line(error: sa.exc.DBAPIError) -> str:
    """The message of the database, without the statement and its values."""
    return (str(error.orig).strip().splitlines() or [type(error.orig).__name__])[0]


def sqlite_code(error: sa.exc.DBAPIError) -> int:
    """SQLite's primary result code; 0 for another database or an error of the driver itself."""
    return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF


def _state(error: sa.exc.DBAPIError) -> str | None:
    state = getattr(error.orig, "sqlstate", None)
    return None if state is None else str(state)
