"""A store as a whole: our ledger and MLflow's tables, created and upgraded together in one locked step.

Every room that opens a store does it here, so no store has one side alone, and first users cannot race.
"""

from __future__ import annotations

from pathlib import Path

from automl.ledger import Ledger, Store, setup
from automl.recorder.mlflow_tables import MlflowTables


def open_ledger(store: Store) -> Ledger:
    """The ledger of a store, which is created first when it does not exist (see `prepare`)."""
    prepare(store)
    return Ledger(store)


def prepare(store: Store) -> None:
    """Create the ledger and MLflow's tables where they do not exist; safe for many first users at once.

    Raises `UserError` when the store is older or newer than this version, or cannot be reached.
    """
    setup.prepare(store, MlflowTables(store))


def upgrade(store: Store) -> list[Path]:
    """Migrate an older store to this version; returns the copies that were made of SQLite files first."""
    return setup.upgrade(store, MlflowTables(store))
