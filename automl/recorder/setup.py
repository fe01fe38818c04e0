"""Creates, checks and upgrades MLflow's tables; imports mlflow (2 s) only when there is something to do.

A small file beside the store says that the installed MLflow found its tables right.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from automl.contracts import UserError
from automl.ledger.setup import create_whole, read_revision, sqlite_file

if TYPE_CHECKING:
    from automl.ledger.store import Store

_VERSION_TABLE = "alembic_version"


def mlflow_is_ready(store: Store) -> bool:
    """Whether the tables are those of the installed MLflow, told without importing it."""
    if not _is_sql(store):
        return True  # a tracking server looks after its own
    try:
        marker = _marker(store).read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    file = sqlite_file(store.tracking_uri)
    if file is not None and not file.exists():
        return False
    return marker == _marker_text(store, read_revision(store.tracking_uri, _VERSION_TABLE))


def prepare_mlflow(store: Store) -> None:
    """Create MLflow's tables where there are none. Call under the store's lock.

    Raises `UserError` when they are of an older or newer MLflow.
    """
    file = sqlite_file(store.tracking_uri)
    if file is not None and not file.exists():
        create_whole(file, lambda url: _initialise(url, store.artifacts))
    revision = read_revision(store.tracking_uri, _VERSION_TABLE)
    if revision is None:
        _initialise(store.tracking_uri, store.artifacts)
        revision = read_revision(store.tracking_uri, _VERSION_TABLE)
    known = _known_revisions()
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
            f"older ones ({revision}); stop what uses them, then run `automl db upgrade` (SQLite files are copied)"
        )
    _marker(store).write_text(_marker_text(store, revision), encoding="utf-8")


def upgrade_mlflow(store: Store) -> None:
    """Migrate MLflow's tables to the installed MLflow. Call under the store's lock, after a backup."""
    if not _is_sql(store):
        return
    file = sqlite_file(store.tracking_uri)
    revision = None
    if file is None or file.exists():
        revision = read_revision(store.tracking_uri, _VERSION_TABLE)
    if revision is not None and revision in _known_revisions():
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


def _known_revisions() -> list[str]:
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


def _is_sql(store: Store) -> bool:
    return not store.tracking_uri.startswith(("http://", "https://"))


def _marker(store: Store) -> Path:
    return store.folder / "mlflow.ready"


def _marker_text(store: Store, revision: str | None) -> str:
    address = hashlib.sha256(store.tracking_uri.encode()).hexdigest()
    return json.dumps({"mlflow": version("mlflow"), "store": address, "revision": revision})
