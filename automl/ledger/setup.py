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
from automl.ledger.connecting import explained, patiently
from automl.ledger.database import make_engine
from automl.ledger.files import back_up, create_whole, sqlite_file
from automl.ledger.layout import Layout, layout_of, mistake
from automl.ledger.store import MLFLOW_SCHEMA, Store
from automl.ledger.tables import SCHEMA

HEAD: Final = "0016"  # the newest revision under migrations/versions
# revisions to which later ones only add tables, columns and indexes
_ADDED_TO: Final = {f"{revision:04}" for revision in range(3, int(HEAD))}
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

    Raises `UserError` when the store is older or newer than this version, no ledger, or cannot be reached,
    and `RunError` when the server has no free connection for a minute.
    """
    with explained(store):
        patiently(store, lambda: _prepare(store, companion))


def _prepare(store: Store, companion: Companion) -> None:
    layout = _layout(store)
    if layout is not None and layout.revision == HEAD and companion.is_ready():
        return
    with _locked(store):
        _prepare_ledger(store)
        if not companion.is_ready():
            companion.prepare()


def rename_schema(store: Store, schema: str, name: str) -> str:
    """Give a schema of a PostgreSQL store another name, and make an empty one in its place."""
    with explained(store), _locked(store):
        engine = make_engine(store.url)
        try:
            with engine.begin() as connection:
                connection.exec_driver_sql(f"ALTER SCHEMA {schema} RENAME TO {name}")
                connection.execute(sa.schema.CreateSchema(schema))
        finally:
            engine.dispose()
    return name


def upgrade(store: Store, companion: Companion) -> list[Path]:
    """Migrate an older store to this version; returns the copies that were made of SQLite files first."""
    with explained(store):
        return patiently(store, lambda: _upgrade(store, companion))


def _upgrade(store: Store, companion: Companion) -> list[Path]:
    with _locked(store):
        layout = _layout(store)
        if layout is not None and layout.revision not in known_revisions():
            raise UserError(_newer(store, layout.revision))
        copies = [copy for url in (store.url, store.tracking_uri) if (copy := back_up(url))]
        _migrate(store.url)
        companion.upgrade()
        return copies


def _prepare_ledger(store: Store) -> None:
    layout, file = _layout(store), sqlite_file(store.url)
    revision = None if layout is None else layout.revision
    if revision == HEAD:
        return
    if file is not None and revision in _ADDED_TO:
        copy = back_up(store.url)
        _migrate(store.url)
        told = "the store %s was brought from revision %s to %s, which only adds to it; a copy is in %s"
        logging.getLogger(__name__).warning(told, store.shown, revision, HEAD, copy)
    elif layout is None:
        if file is None:
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


def _newer(store: Store, revision: str | None) -> str:
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


def _layout(store: Store) -> Layout | None:
    """What the ledger's database has; None where there is none. Raises `UserError` when it is no ledger."""
    layout = layout_of(store)
    wrong = "" if layout is None else mistake(store, layout, HEAD)
    if wrong:
        raise UserError(wrong)
    return layout


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
