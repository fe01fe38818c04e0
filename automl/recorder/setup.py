"""Creates, checks and upgrades MLflow's tables in a store."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

import sqlalchemy as sa

from automl.contracts import UserError
from automl.ledger.files import create_whole, read_revision, sqlite_file
from automl.ledger.mlflow_marker import VERSION_TABLE, is_sql, write_marker

if TYPE_CHECKING:
    from automl.ledger.store import Store


def prepare_mlflow(store: Store) -> None:
    """Create MLflow's tables where there are none. Call under the store's lock.

    Raises `UserError` when they are of an older or newer MLflow.
    """
    file = sqlite_file(store.tracking_uri)
    if file is not None and not file.exists():
        create_whole(file, lambda url: _initialise(url, store.artifacts))
    revision = read_revision(store.tracking_uri, VERSION_TABLE)
    if revision is None:
        _initialise(store.tracking_uri, store.artifacts)
        revision = read_revision(store.tracking_uri, VERSION_TABLE)
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
    write_marker(store, known[0])


def upgrade_mlflow(store: Store) -> None:
    """Migrate MLflow's tables to the installed MLflow. Call under the store's lock, after a backup."""
    if not is_sql(store):
        return
    file = sqlite_file(store.tracking_uri)
    revision = None
    if file is None or file.exists():
        revision = read_revision(store.tracking_uri, VERSION_TABLE)
    if revision is not None and revision in known_revisions():
        with _quiet():
            from mlflow.store.db.utils import _upgrade_db

            engine = sa.create_engine(store.tracking_uri)
            try:
                _upgrade_db(engine)  # type: ignore[no-untyped-call]
            finally:
                engine.dispose()
    prepare_mlflow(store)


def _initialise(url: str, artifacts: str) -> None:
    with _quiet():
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        # makes the tables and the default experiment
        tables = SqlAlchemyStore(url, artifacts)  # type: ignore[no-untyped-call]
        tables.engine.dispose()
        SqlAlchemyStore._engine_map.pop(url, None)


def known_revisions() -> list[str]:
    """All revisions of the installed MLflow, the newest first."""
    with _quiet():
        from alembic.script import ScriptDirectory
        from mlflow.store.db.utils import _get_alembic_config

        script = ScriptDirectory.from_config(_get_alembic_config(""))  # type: ignore[no-untyped-call]
        return [revision.revision for revision in script.walk_revisions()]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep MLflow and Alembic from telling each migration on standard error."""
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
