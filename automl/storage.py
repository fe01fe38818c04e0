"""A store as a whole: our ledger and MLflow's tables, created and upgraded together in one locked step.

Every room that opens a store does it here, so no store has one side alone, and first users cannot race.
"""

from __future__ import annotations

import contextlib
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from automl.contracts import RunError, UserError
from automl.ledger import Ledger, Store, setup
from automl.ledger.connecting import explained
from automl.ledger.files import beside, is_damaged, sqlite_file
from automl.ledger.store import MLFLOW_SCHEMA
from automl.ledger.tables import SCHEMA
from automl.private import private
from automl.recorder import planner
from automl.recorder.mlflow_marker import condition, has_none
from automl.recorder.mlflow_tables import MlflowTables
from automl.recorder.uids import run_uid

LOOKED_UP: Final = 20  # campaigns, one of which must be in MLflow


def open_ledger(store: Store) -> Ledger:
    """The ledger of a store, which is created first when it does not exist (see `prepare`)."""
    prepare(store)
    ledger = Ledger(store)
    try:
        _notice_a_loss(store, ledger)
    except BaseException:
        ledger.close()
        raise
    return ledger


@private()
def prepare(store: Store) -> None:
    """Create the ledger and MLflow's tables where they do not exist; safe for many first users at once.

    Raises `UserError` when the store is older or newer than this version, or cannot be reached.
    """
    setup.prepare(store, _mlflow_tables(store))


@private()
def set_damaged_aside(store: Store) -> str | None:
    """Rename MLflow's SQLite file, or schema, when it is broken, to be created anew. Returns its new name."""
    file = sqlite_file(store.tracking_uri)
    broken = bool(condition(store).broken) or (file is not None and file.is_file() and is_damaged(file))
    if not broken:
        return None
    moment = time.strftime("%Y%m%d-%H%M%S")
    if file is None:
        name = f"{MLFLOW_SCHEMA}_damaged_{moment.replace('-', '_')}"
        return setup.rename_schema(store, MLFLOW_SCHEMA, name)
    aside = file.with_name(f"{file.name}.damaged-{moment}")
    for part in (*beside(file), file):
        part.rename(aside.with_name(part.name.replace(file.name, aside.name)))
    return str(aside)


@private()
def upgrade(store: Store) -> list[Path]:
    """Migrate an older store to this version; returns the copies that were made of SQLite files first."""
    copies = setup.upgrade(store, _mlflow_tables(store))
    refresh_statistics(store)
    return copies


def refresh_statistics(store: Store) -> None:
    """Gather what the databases of a store plan their queries by, for queries over many runs. Never fails."""
    planner.refresh(store)


@dataclass(frozen=True)
class Places:
    """Where local files and artifacts of a store are: an absolute folder, and a folder or a URI."""

    work: str
    artifacts: str


_IN_LEDGER: Final = (("trials", "workdir"),)
_IN_MLFLOW: Final = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def restored_statements(old: Places, new: Places, *, schemas: bool) -> tuple[list[str], list[str]]:
    """SQL for a ledger and for an MLflow database that were copied from `old` to `new`.

    Paths follow the move, and nobody holds a campaign or a firing of the copy. `schemas`: the tables are
    those of PostgreSQL.
    """
    ours, theirs = (f"{SCHEMA}.", f"{MLFLOW_SCHEMA}.") if schemas else ("", "")
    ledger = [
        f"UPDATE {ours}campaigns SET owner = NULL WHERE owner IS NOT NULL",
        f"UPDATE {ours}firings SET owner = NULL, lease_until = NULL WHERE owner IS NOT NULL",
    ]
    mlflow = []
    for before, after in _moves(old, new):
        ledger += [_moved(f"{ours}{table}", column, before, after) for table, column in _IN_LEDGER]
        mlflow += [_moved(f"{theirs}{table}", column, before, after) for table, column in _IN_MLFLOW]
    return ledger, mlflow


def _moves(old: Places, new: Places) -> list[tuple[str, str]]:
    """What paths and file URIs begin with, before and after; what contains another comes later."""
    pairs = {(old.artifacts, new.artifacts), (old.work, new.work)}
    moves = [(before, after) for before, after in pairs if before != after]
    moves = [(before, after) for before, after in moves if "://" not in before + after]
    uris = [(Path(before).as_uri(), Path(after).as_uri()) for before, after in moves]
    return sorted([*moves, *uris], key=lambda move: -len(move[0]))


def _moved(table: str, column: str, before: str, after: str) -> str:
    """The statement that changes the beginning of a path; one that was changed already stays."""
    head, there = before.replace("'", "''"), after.replace("'", "''")
    begins = f"substr({column}, 1, {len(before) + 1}) = '{head}/' OR {column} = '{head}'"
    done = f"substr({column}, 1, {len(after) + 1}) = '{there}/' OR {column} = '{there}'"
    inside = f" AND NOT ({done})" if after.startswith(f"{before}/") else ""
    return (
        f"UPDATE {table} SET {column} = '{there}' || substr({column}, {len(before) + 1}) "
        f"WHERE ({begins}){inside}"
    )


def _mlflow_tables(store: Store) -> MlflowTables:
    # before there are tables again: a process that is killed in between must not forget it
    return MlflowTables(store, before_creating=lambda: _forget_records(store, "was missing or empty"))


def _forget_records(store: Store, why: str) -> None:
    """MLflow has lost everything: it is written again, by the next run of a campaign or by a repair."""
    with explained(store), Ledger(store) as ledger:
        if ledger.forget_records():
            told = "MLflow's database %s %s; `automl audit NAME --repair` writes it from the ledger"
            logging.getLogger(__name__).warning(told, store.shown_tracking, why)


def _notice_a_loss(store: Store, ledger: Ledger) -> None:
    """See whether MLflow has any of the campaigns that were recorded there: it may be another file now."""
    recorded = ledger.recorded_campaigns(LOOKED_UP)
    if recorded and has_none(store, [run_uid(began, name) for name, began in recorded]):
        with contextlib.suppress(UserError, RunError):  # a user who may only read needs MLflow for nothing
            _forget_records(store, "was emptied or swapped: it has no campaign that was recorded there")
