"""Deletes what MLflow has of a campaign: its runs with all their values, and their files.

MLflow's own `gc` would delete other experiments and models that are in the trash, too. A server keeps
what it holds for itself: there, runs are moved to its trash.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from mlflow import MlflowClient
from mlflow.entities import Run, ViewType
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.store.tracking.dbmodels.models import SqlLatestMetric, SqlMetric, SqlParam, SqlRun, SqlTag
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.uri import is_local_uri

from automl.ledger.database import Database
from automl.ledger.errors import MLFLOW
from automl.recorder.experiments import make_client
from automl.recorder.mlflow_marker import is_sql
from automl.recorder.telling import told
from automl.recorder.uids import run_uid

if TYPE_CHECKING:
    from automl.ledger.rows import CampaignRow
    from automl.ledger.store import Store

PAGE: Final = 1000  # runs in one answer
CHUNK: Final = 200  # runs in one transaction
_TABLES: Final[tuple[sa.Table, ...]] = tuple(
    model.__table__ for model in (SqlTag, SqlParam, SqlMetric, SqlLatestMetric, SqlRun)
)


@dataclass(frozen=True)
class Erased:
    """`runs`: how many; `for_good`: not only moved to a server's trash. `models`: registered ones, kept."""

    runs: int
    for_good: bool
    models: tuple[str, ...] = ()


def erase_campaign(store: Store, campaign: CampaignRow) -> Erased:
    """Delete the runs of a campaign and their artifacts, as far as MLflow lets us. May be repeated.

    Trainings of its winners and the models registered from them stay. Raises `RunError` when MLflow is away.
    """
    with told(store, f"delete {campaign.id}"):
        client = make_client(store)
        experiment = client.get_experiment_by_name(campaign.study)
        if experiment is None:
            return Erased(0, for_good=True)
        found = list(_runs(client, experiment.experiment_id, campaign.id))
        runs = [run for run in found if _is_ours(run, campaign)]
        models = _models(client, {run.info.run_id for run in found if run not in runs})
        for_good = is_sql(store)
        for run in runs:
            if run.info.lifecycle_stage == "active":
                client.delete_run(run.info.run_id)
        if for_good:
            erase_runs(store, runs)
        return Erased(len(runs), for_good, models)


def erase_runs(store: Store, runs: Sequence[Run]) -> None:
    """Delete runs in the trash of our own database for good: first their files, so that none is forgotten."""
    database = Database(store.tracking_uri, subject=MLFLOW)
    try:
        for start in range(0, len(runs), CHUNK):
            chunk = runs[start : start + CHUNK]
            for run in chunk:
                _erase_artifacts(run.info.artifact_uri)
            ids = [run.info.run_id for run in chunk]

            def erase_rows(connection: sa.Connection, ids: Sequence[str] = ids) -> None:
                for table in _TABLES:
                    connection.execute(sa.delete(table).where(table.c.run_uuid.in_(ids)))

            database.write(erase_rows)
    finally:
        database.close()


def _erase_artifacts(uri: str) -> None:
    if is_local_uri(uri):  # type: ignore[no-untyped-call]
        folder = Path(local_file_uri_to_path(uri))  # type: ignore[no-untyped-call]
        shutil.rmtree(folder.parent if folder.name == "artifacts" else folder, ignore_errors=True)
    else:
        get_artifact_repository(uri).delete_artifacts()  # type: ignore[no-untyped-call]


def _is_ours(run: Run, campaign: CampaignRow) -> bool:
    """Whether a run projects something of this campaign, not of one with its name in another ledger."""
    tags = run.data.tags
    identity, uid = tags.get("automl.id"), tags.get("automl.uid")
    return identity is not None and uid == run_uid(campaign.created_at, identity)


def _models(client: MlflowClient, trainings: set[str]) -> tuple[str, ...]:
    """Registered versions that these runs have trained."""
    found = client.search_model_versions() if trainings else []
    return tuple(f"{one.name} version {one.version}" for one in found if one.run_id in trainings)


def _runs(client: MlflowClient, experiment: str, campaign: str) -> Iterator[Run]:
    """The runs of a campaign, those in the trash too."""
    query, token = f"tags.\"automl.campaign\" = '{campaign}'", None
    while True:
        page = client.search_runs([experiment], query, ViewType.ALL, PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return
