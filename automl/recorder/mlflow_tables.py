"""Creates, checks and upgrades MLflow's tables in a store.

MLflow and Alembic are imported inside functions: that takes two seconds, and a store that is ready needs
neither.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

import sqlalchemy as sa

from automl.contracts import UserError
from automl.ledger.database import make_engine
from automl.ledger.files import create_whole, read_revision, sqlite_file
from automl.ledger.store import MLFLOW_SCHEMA
from automl.recorder.mlflow_marker import VERSION_TABLE, accepted, condition, is_sql, write_marker

if TYPE_CHECKING:
    from automl.ledger.store import Store


class MlflowTables:
    """MLflow's tables of a store, as a `Companion` of the ledger's.

    `before_creating` is called before there are tables where there were none.
    """

    def __init__(self, store: Store, before_creating: Callable[[], object] = lambda: None) -> None:
        self._store, self._before_creating = store, before_creating

    def is_ready(self) -> bool:
        """Whether the tables are those of the installed MLflow, found out without importing it.

        Tables that cannot be used are left for a repair, with a warning: campaigns need the ledger alone.
        """
        if not is_sql(self._store):
            return True
        found = condition(self._store)
        if found.broken or found.away:
            logging.getLogger(__name__).warning("nothing can be recorded: %s", found.broken or found.away)
            return True
        return not found.absent and accepted(self._store, found.revision)

    def prepare(self) -> None:
        """Create the tables where there are none. Call under the store's lock.

        Raises `UserError` when they are of an older or newer MLflow.
        """
        store = self._store
        found = condition(store)
        if found.broken or found.away:
            return
        if found.absent:
            self._before_creating()
            file = sqlite_file(store.tracking_uri)
            if file is None:
                _create_schema(store)
                _initialise(store.tracking_uri, store.artifacts)
            else:
                create_whole(file, lambda url: _initialise(url, store.artifacts))
        newest = _check_revision(store, read_revision(store.tracking_uri, VERSION_TABLE))
        write_marker(store, newest)

    def upgrade(self) -> None:
        """Migrate the tables to the installed MLflow. Call under the store's lock, after a backup."""
        url = self._store.tracking_uri
        if not is_sql(self._store):
            return
        file = sqlite_file(url)
        revision = read_revision(url, VERSION_TABLE) if file is None or file.exists() else None
        if revision is not None and revision in known_revisions():
            _migrate(url)
        self.prepare()


def _create_schema(store: Store) -> None:
    """Make MLflow's schema where it was dropped."""
    engine = make_engine(store.tracking_uri)
    try:
        with engine.begin() as connection:
            if MLFLOW_SCHEMA not in sa.inspect(connection).get_schema_names():
                connection.execute(sa.schema.CreateSchema(MLFLOW_SCHEMA))
    finally:
        engine.dispose()


def known_revisions() -> list[str]:
    """All revisions of the installed MLflow, the newest first."""
    with _quiet():
        from alembic.script import ScriptDirectory  # alembic is needed for migrations alone
        from mlflow.store.db.utils import _get_alembic_config  # mlflow takes seconds to import

        script = ScriptDirectory.from_config(_get_alembic_config(""))  # type: ignore[no-untyped-call]
        return [revision.revision for revision in script.walk_revisions()]


def _check_revision(store: Store, revision: str | None) -> str:
    """The newest revision of the installed MLflow. Raises `UserError` unless the tables have it."""
    known = known_revisions()
    shown = sa.make_url(store.tracking_uri).set(query={}).render_as_string()
    if revision not in known:
        raise UserError(
            f"MLflow's tables must be of MLflow {version('mlflow')} or older, but {shown} has "
            f"revision {revision}, which only a newer one knows; install that MLflow (`automl db upgrade` "
            "cannot go back)"
        )
    if revision != known[0]:
        raise UserError(
            f"MLflow's tables must be those of MLflow {version('mlflow')} ({known[0]}), but {shown} has "
            f"older ones ({revision}); stop what uses them, then run `automl db upgrade` (it keeps a copy of "
            "SQLite files)"
        )
    return known[0]


def _migrate(url: str) -> None:
    with _quiet():
        from mlflow.store.db.utils import _upgrade_db  # mlflow takes seconds to import

        engine = sa.create_engine(url)
        try:
            _upgrade_db(engine)  # type: ignore[no-untyped-call]
        finally:
            engine.dispose()


def _initialise(url: str, artifacts: str) -> None:
    with _quiet():
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore  # mlflow takes seconds to import

        # makes the tables and the default experiment
        tables = SqlAlchemyStore(url, artifacts)  # type: ignore[no-untyped-call]
        tables.engine.dispose()
        SqlAlchemyStore._engine_map.pop(url, None)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep MLflow and Alembic from logging each migration on standard error."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    import mlflow.store.db.utils  # noqa: F401 - configures logging when first imported

    loggers = [logging.getLogger(name) for name in ("mlflow.store.db.utils", "alembic")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
