"""Reaching a store: its errors in the user's words, and patience with a server that has no room just now."""

from __future__ import annotations

import logging
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

import sqlalchemy as sa

from automl.contracts import RunError, UserError
from automl.ledger import database
from automl.ledger.errors import DAMAGED, NOT_WRITABLE, first_line, sqlite_code
from automl.ledger.store import Store

T = TypeVar("T")
LONGEST_PAUSE: Final = 1.0  # seconds between two tries
# PostgreSQL tells these while a connection is made, without an SQLSTATE that its driver keeps
_FULL: Final = re.compile(r"too many (clients|connections)|connection slots are reserved")
_STARTING: Final = re.compile(
    r"the database system is (starting up|shutting down|in recovery|not yet accepting)"
)
_ADVICE: Final = (
    (re.compile(r"authentication failed|no password supplied|role .* does not exist|pg_hba\.conf"),
     "correct the user or the password in AUTOML_STORE, or the rights of that user on the server"),
    (re.compile(r"database .* does not exist"),
     "create it (createdb), or correct the name of the database in AUTOML_STORE"),
)  # fmt: skip


def patiently(store: Store, act: Callable[[], T]) -> T:
    """What `act` returns, tried again for a minute while the server starts or has no free connection.

    Raises `RunError` when it still has none then.
    """
    deadline, pause, told = time.monotonic() + database.PATIENCE, 0.1, False
    while True:
        try:
            return act()
        except sa.exc.OperationalError as error:
            reason = first_line(error)
            full = _FULL.search(reason)
            if not full and not _STARTING.search(reason):
                raise
            if time.monotonic() + pause > deadline:
                what = "have a free connection" if full else "accept connections"
                advice = "end other programs that use it, or raise max_connections" if full else "see its log"
                raise RunError(
                    f"the store's server must {what}, but {place(store)} answers for "
                    f"{database.PATIENCE:g} s: {reason}; {advice}; then run the same command"
                ) from error
            if not told:
                text = "%s answers: %s; waiting up to %g s"
                logging.getLogger(__name__).warning(text, place(store), reason, database.PATIENCE)
                told = True
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


@contextmanager
def explained(store: Store) -> Iterator[None]:
    """Turn errors that a user can correct (server away, foreign file, read-only folder) into `UserError`.

    What may pass without the user, such as a lock, becomes `RunError`.
    """
    try:
        yield
    except sa.exc.DBAPIError as error:
        if store.url.startswith("sqlite"):
            raise _of_file(store, error) from error
        raise _of_server(store, error) from error
    except OSError as error:
        raise UserError(
            f"the store's folder must be writable, but {str(store.folder)!r} is not: {error.strerror}; name "
            "another one in AUTOML_STORE (with PostgreSQL: AUTOML_FOLDER)"
        ) from None


def place(store: Store) -> str:
    """The database of a store as its user knows it, without a password."""
    url = sa.make_url(store.url)
    if url.get_backend_name() == "sqlite":
        return repr(url.database)
    return f"database {url.database!r} on {url.host or 'the local socket'} (port {url.port or 5432})"


def _of_file(store: Store, error: sa.exc.DBAPIError) -> UserError | RunError:
    code, reason, file = sqlite_code(error), first_line(error), place(store)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return RunError(
            f"the store must be free to be opened, but another process locks {file} for more than "
            f"{database.PATIENCE:g} s: {reason}; nothing is lost; end that process, then run the same command"
        )
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        return RunError(
            f"the store's disk must have room and work, but {file} cannot be read or written: {reason}; what "
            "was acknowledged is safe; make room, then run the same command"
        )
    if code in NOT_WRITABLE:
        advice = "give this user the right to write it and its folder, or name another folder in AUTOML_STORE"
    elif code in DAMAGED:
        advice = "stop what uses it and restore a backup (mlflow/restore.sh); to begin anew, move it away"
    else:
        advice = "move that file away or name another folder in AUTOML_STORE"
    return UserError(
        f"the store must be a SQLite database this user can write, but {file} is not: {reason}; {advice}"
    )


def _of_server(store: Store, error: sa.exc.DBAPIError) -> UserError | RunError:
    url, reason = sa.make_url(store.url), first_line(error)
    if url.password:
        reason = reason.replace(url.password, "***")
    if not isinstance(error, sa.exc.OperationalError):
        return UserError(
            f"{url.username or 'this user'} must be able to read, write and create tables in database "
            f"{url.database!r} on {url.host or 'the local socket'}, but it answers: {reason}; grant that, or "
            "let an administrator run `automl db upgrade` once"
        )
    advice = next((text for form, text in _ADVICE if form.search(reason)), None)
    kind = UserError if advice else RunError  # a server that is away may come back
    return kind(
        f"the store must be reachable, but {place(store)} is not within {database.CONNECT_TIMEOUT} s: "
        f"{reason}; {advice or 'start the server or correct AUTOML_STORE'}"
    )
