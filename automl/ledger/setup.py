"""Creates and upgrades the ledger's tables, one process at a time.

Another program's tables in the same store (a `Companion`) are created in the same locked step. It is a
required argument: no caller can create a ledger and forget them.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

import sqlalchemy as sa

from automl.contracts import UserError
from automl.ledger.database import CONNECT_TIMEOUT, make_engine
from automl.ledger.errors import first_line
from automl.ledger.files import back_up, create_whole, read_revision, sqlite_file
from automl.ledger.store import MLFLOW_SCHEMA, Store
from automl.ledger.tables import SCHEMA

VERSION_TABLE: Final = "automl_alembic_version"
HEAD: Final = "0007"  # the newest revision under migrations/versions
# revisions to which later ones only add tables and columns
_ADDED_TO: Final = {"0003", "0004", "0005", "0006"}
_LOCK: Final = 0x6175746F6D6C  # PostgreSQL's advisory lock "automl"


class Companion(Protocol):
    """Tables of another program in the same store, created and upgraded under the same lock."""

    def is_ready(self) -> bool:
        """Whether the tables are there and current; cheap, also called without the lock."""

    def prepare(self) -> None:
        """Create the tables. Raises `UserError` when they are older or newer than this version."""

    def upgrade(self) -> None:
        """Migrate older tables to this version."""


def prepare(store: Store, companion: Companion) -> None:
    """Create the ledger and its companion where they do not exist; safe for many first users at once.

    Raises `UserError` when the store is older or newer than this version, or cannot be reached.
    """
    with explained(store):
        if _ledger_revision(store) == HEAD and companion.is_ready():
            return
        with _locked(store):
            _prepare_ledger(store)
            if not companion.is_ready():
                companion.prepare()


def is_current(store: Store) -> bool:
    """Whether the ledger has this version's tables. Raises `UserError` when it cannot be read."""
    with explained(store):
        return _ledger_revision(store) == HEAD


def upgrade(store: Store, companion: Companion) -> list[Path]:
    """Migrate an older store to this version; returns the copies that were made of SQLite files first."""
    with explained(store), _locked(store):
        revision = _ledger_revision(store)
        if revision is not None and revision not in known_revisions():
            raise UserError(_newer(store, revision))
        copies = [copy for url in (store.url, store.tracking_uri) if (copy := back_up(url))]
        _migrate(store.url)
        companion.upgrade()
        return copies


def _prepare_ledger(store: Store) -> None:
    revision = _ledger_revision(store)
    if revision == HEAD:
        return
    file = sqlite_file(store.url)
    if file is not None and revision in _ADDED_TO:
        copy = back_up(store.url)
        _migrate(store.url)
        told = "the store %s was brought from revision %s to %s, which only adds to it; a copy is in %s"
        logging.getLogger(__name__).warning(told, store.shown, revision, HEAD, copy)
    elif revision is None:
        if file is None or file.exists():
            _migrate(store.url)
        else:
            create_whole(file, _migrate)
    elif revision in known_revisions():
        raise UserError(
            f"the store must have this version's tables ({HEAD}), but {store.shown} has older ones "
            f"({revision}); stop what uses it, then run `automl db upgrade` (it keeps a copy of SQLite files)"
        )
    else:
        raise UserError(_newer(store, revision))


def _newer(store: Store, revision: str) -> str:
    return (
        f"the store must have this version's tables ({HEAD}), but {store.shown} has {revision}, which only a "
        "newer version knows; install that version (`automl db upgrade` cannot go back)"
    )


def _migrate(url: str) -> None:
    """Bring our tables to the newest revision, in one transaction."""
    from alembic import command  # only a store that is not ready needs it
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    engine = make_engine(url)
    try:
        with engine.execution_options(automl_write=True).begin() as connection:
            if connection.dialect.name == "postgresql":
                for schema in {SCHEMA, MLFLOW_SCHEMA} - set(sa.inspect(connection).get_schema_names()):
                    connection.execute(sa.schema.CreateSchema(schema))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()


def known_revisions() -> set[str]:
    """All revisions under migrations/versions."""
    return {
        path.name.partition("_")[0]
        for path in (Path(__file__).parent / "migrations/versions").glob("[0-9]*.py")
    }


def _ledger_revision(store: Store) -> str | None:
    """The revision of our tables; None when there are none yet."""
    path = sqlite_file(store.url)
    if path is not None and not path.exists():
        return None
    return read_revision(store.url, VERSION_TABLE)


@contextmanager
def _locked(store: Store) -> Iterator[None]:
    """Admit one process at a time: on one host by a file, on PostgreSQL everywhere by an advisory lock."""
    store.folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # data, code and addresses are in it
    with contextlib.ExitStack() as stack:
        file = stack.enter_context((store.folder / "setup.lock").open("w"))
        fcntl.flock(file, fcntl.LOCK_EX)
        if not store.url.startswith("sqlite"):
            engine = make_engine(store.url)
            stack.callback(engine.dispose)
            connection = stack.enter_context(engine.connect())
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.execute(sa.select(sa.func.pg_advisory_lock(_LOCK)))
            stack.callback(connection.execute, sa.select(sa.func.pg_advisory_unlock(_LOCK)))
        yield


@contextmanager
def explained(store: Store) -> Iterator[None]:
    """Turn errors that a user can correct (server away, foreign file, read-only folder) into `UserError`."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        url = sa.make_url(store.url)
        reason = first_line(error)
        if url.password:
            reason = reason.replace(url.password, "***")
        if url.get_backend_name() == "sqlite":
            raise UserError(
                f"the store must be a SQLite database this user can write, but {url.database!r} is not: "
                f"{reason}; move that file away or name another folder in AUTOML_STORE"
            ) from None
        if not isinstance(error, sa.exc.OperationalError):
            raise UserError(
                f"{url.username or 'this user'} must be able to create tables in database {url.database!r} "
                f"on {url.host or 'the local socket'}, but it answers: {reason}; grant that, or let an "
                "administrator run `automl db upgrade` once"
            ) from None
        raise UserError(
            f"the store must be reachable, but database {url.database!r} on {url.host or 'the local socket'} "
            f"(port {url.port or 5432}) is not within {CONNECT_TIMEOUT} s: {reason}; start the server or "
            "correct AUTOML_STORE"
        ) from None
    except OSError as error:
        raise UserError(
            f"the store's folder must be writable, but {str(store.folder)!r} is not: {error.strerror}; name "
            "another one in AUTOML_STORE (with PostgreSQL: AUTOML_FOLDER)"
        ) from None
