"""Whether MLflow's tables fit the installed MLflow, found out without importing it (2 s).

A small file beside the store holds the revision that the installed MLflow accepted.
"""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Final

from automl.ledger.files import read_revision, sqlite_file
from automl.ledger.store import Store

VERSION_TABLE: Final = "alembic_version"
# Versions of MLflow for which tests/recorder/test_equality.py has passed: their tables are written directly.
VERIFIED: Final = frozenset({"3.17.2"})


def is_sql(store: Store) -> bool:
    """Whether MLflow's tables are in a database of this store; a tracking server keeps them itself."""
    return not store.tracking_uri.startswith(("http://", "https://"))


def is_ready(store: Store) -> bool:
    """Whether MLflow's tables are those of the installed MLflow."""
    if not is_sql(store):
        return True
    file = sqlite_file(store.tracking_uri)
    if file is not None and not file.exists():
        return False
    try:
        marker = _path(store).read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    return marker == _text(store, read_revision(store.tracking_uri, VERSION_TABLE))


def write_marker(store: Store, revision: str) -> None:
    """Note that the installed MLflow accepts `revision`."""
    _path(store).write_text(_text(store, revision), encoding="utf-8")


def _path(store: Store) -> Path:
    return store.folder / "mlflow.ready"


def _text(store: Store, revision: str | None) -> str:
    address = hashlib.sha256(store.tracking_uri.encode()).hexdigest()
    return json.dumps({"mlflow": version("mlflow"), "store": address, "revision": revision})
