"""Whether MLflow's tables fit the installed MLflow, found out without importing it (2 s).

A small file beside the store holds the revision that the installed MLflow accepted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from automl.ledger.database import make_engine
from automl.ledger.errors import DAMAGED, MLFLOW, explained, first_line, sqlite_code
from automl.ledger.files import columns_in, read_revision_in, sqlite_file
from automl.ledger.layout import listed
from automl.ledger.store import MLFLOW_SCHEMA, Store

VERSION_TABLE: Final = "alembic_version"
# Versions of MLflow for which tests/recorder/test_equality.py has passed: their tables are written directly.
VERIFIED: Final = frozenset({"3.17.2"})
_TABLES: Final = ("experiments", "experiment_tags", "runs", "tags", "params", "metrics", "latest_metrics")
_REPAIR: Final = "`automl audit NAME --repair` sets it aside and writes all campaigns anew from the ledger"


@dataclass(frozen=True)
class Condition:
    """MLflow's database of a store. `absent`: there is none yet, or an empty one; `revision` of its tables.

    `broken`: why its content cannot be MLflow's; `away`: why it cannot be read or written now.
    """

    absent: bool = False
    revision: str | None = None
    broken: str = ""
    away: str = ""


def is_sql(store: Store) -> bool:
    """Whether MLflow's tables are in a database of this store; a tracking server keeps them itself."""
    return not store.tracking_uri.startswith(("http://", "https://"))


def condition(store: Store) -> Condition:
    """The condition of MLflow's database; it exists on a tracking server. Never fails."""
    if not is_sql(store):
        return Condition()
    name = store.shown_tracking
    file = sqlite_file(store.tracking_uri)
    if file is not None and not file.is_symlink() and not file.exists():
        return Condition(absent=True)
    if file is not None and not file.is_file():
        return Condition(broken=f"MLflow's database must be a file, but {name} is none; {_REPAIR}")
    if file is not None and file.stat().st_size == 0:
        return Condition(absent=True)
    engine = make_engine(store.tracking_uri)
    try:
        with engine.connect() as connection:
            return _read(connection, name)
    except sa.exc.DBAPIError as error:
        if sqlite_code(error) in DAMAGED:
            text = f"MLflow's database must be sound, but {name} is damaged: {first_line(error)}; {_REPAIR}"
            return Condition(broken=text)
        told = explained(error, name, MLFLOW)
        return Condition(away=told or f"MLflow's database {name} cannot be read: {first_line(error)}")
    finally:
        engine.dispose()


def has_none(store: Store, uids: Collection[str]) -> bool:
    """Whether MLflow's database can be read, and has no run of any of these uids."""
    if not is_sql(store):
        return False
    engine = make_engine(store.tracking_uri)
    by_id = sa.select(sa.literal(1)).select_from(sa.table("runs", sa.column("run_uuid")))
    tags = sa.table("tags", sa.column("key"), sa.column("value"))
    by_tag = sa.select(sa.literal(1)).select_from(tags)  # runs of other writers have ids of their own
    try:
        with engine.connect() as connection:
            named = connection.scalar(by_id.where(sa.column("run_uuid").in_(uids)).limit(1))
            return named is None and not connection.scalar(
                by_tag.where(tags.c.key == "automl.uid", tags.c.value.in_(uids)).limit(1)
            )
    except sa.exc.DBAPIError:
        return False
    finally:
        engine.dispose()


def _read(connection: sa.Connection, name: str) -> Condition:
    columns = columns_in(connection, MLFLOW_SCHEMA)
    revision = read_revision_in(connection, VERSION_TABLE) if VERSION_TABLE in columns else None
    if not columns:
        return Condition(absent=True)
    if revision is None:
        return Condition(
            broken=f"MLflow's database must have tables of MLflow, but {name} has those of another program: "
            f"{listed(sorted(columns))}; {_REPAIR}"
        )
    lacking = [table for table in _TABLES if table not in columns]
    if lacking:
        return Condition(
            revision=revision,
            broken=f"MLflow's database must have all of its tables, but {name} lacks {listed(lacking)}; "
            f"{_REPAIR}",
        )
    return Condition(revision=revision)


def accepted(store: Store, revision: str | None) -> bool:
    """Whether the installed MLflow is known to accept the tables of that revision."""
    try:
        return _path(store).read_text(encoding="utf-8") == _text(store, revision)
    except (OSError, ValueError):  # not there, or damaged: they are looked at again
        return False


def write_marker(store: Store, revision: str) -> None:
    """Note that the installed MLflow accepts `revision`."""
    _path(store).write_text(_text(store, revision), encoding="utf-8")


def _path(store: Store) -> Path:
    return store.folder / "mlflow.ready"


def _text(store: Store, revision: str | None) -> str:
    address = hashlib.sha256(store.tracking_uri.encode()).hexdigest()
    return json.dumps({"mlflow": version("mlflow"), "store": address, "revision": revision})
