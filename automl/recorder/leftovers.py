"""What MLflow keeps that belongs to no run any more: runs of ours in its trash, and files without a run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from mlflow.entities import Run, ViewType
from mlflow.store.tracking.dbmodels.models import SqlRun
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.uri import is_local_uri

from automl.ledger.database import Database
from automl.ledger.errors import MLFLOW
from automl.recorder.erasing import PAGE, erase_runs
from automl.recorder.experiments import make_client
from automl.recorder.mlflow_marker import is_sql
from automl.recorder.telling import told

if TYPE_CHECKING:
    from automl.ledger.store import Store

_RUN_ID: Final = re.compile(r"[0-9a-f]{32}")
_RUNS: Final[sa.Table] = SqlRun.__table__


def trashed_runs(store: Store) -> list[Run]:
    """Runs in MLflow's trash that were written from a ledger. Raises `RunError` when MLflow is away."""
    with told(store, "list its trash"):
        client = make_client(store)
        experiments = [
            experiment.experiment_id for experiment in client.search_experiments(view_type=ViewType.ALL)
        ]
        found: list[Run] = []
        token: str | None = None
        while experiments:
            query = "tags.\"automl.uid\" != ''"
            page = client.search_runs(experiments, query, ViewType.DELETED_ONLY, PAGE, page_token=token)
            found += page
            token = page.token
            if not token:
                break
        return found


def erase_trashed(store: Store, runs: list[Run]) -> None:
    """Delete runs in the trash for good, with their files."""
    with told(store, "empty its trash"):
        erase_runs(store, runs)


def artifacts_of(run: Run) -> Path | None:
    """The folder of a run's files on this machine."""
    return _local(run.info.artifact_uri)


def orphaned_artifacts(store: Store) -> list[Path]:
    """Folders of files, below those of experiments on this machine, whose run MLflow does not have.

    A folder is listed before the runs: one that is made meanwhile has its run already.
    """
    if not is_sql(store):
        return []
    with told(store, "compare its files with its runs"):
        client = make_client(store)
        places = {
            folder
            for experiment in client.search_experiments(view_type=ViewType.ALL)
            if (folder := _local(experiment.artifact_location)) is not None and folder.is_dir()
        }
        folders = [entry for place in sorted(places) for entry in sorted(place.iterdir())]
        named = {entry: entry.name for entry in folders if _RUN_ID.fullmatch(entry.name)}
        database = Database(store.tracking_uri, subject=MLFLOW)
        try:
            known = set(
                database.read(lambda connection: connection.scalars(sa.select(_RUNS.c.run_uuid)).all())
            )
        finally:
            database.close()
        return [entry for entry, name in named.items() if name not in known]


def _local(uri: str) -> Path | None:
    if not is_local_uri(uri):  # type: ignore[no-untyped-call]
        return None
    return Path(local_file_uri_to_path(uri))  # type: ignore[no-untyped-call]
