"""Writes runs into MLflow's own tables, through MLflow's own table models, many in one transaction.

Used for the versions in `writer_choice.VERIFIED` only: a test compares, through MlflowClient, what this
writes with what `log_batch` writes. A run's id is its uid, so a second writing changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from mlflow import MlflowClient
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.uri import is_local_uri
from sqlalchemy.dialects import postgresql, sqlite

from automl.contracts import RunAddress
from automl.ledger.database import Database
from automl.ledger.errors import MLFLOW
from automl.recorder.direct_rows import (
    LATEST,
    METRICS,
    PARAMS,
    RUNS,
    TAGS,
    Values,
    metric_rows,
    rows_of,
    run_row,
)
from automl.recorder.experiments import Experiment
from automl.recorder.points import Point, latest_points
from automl.recorder.uploads import Staging, log_dataset, upload
from automl.recorder.wanted_run import Artifact, WantedRun
from automl.recorder.writer import StoredRun

if TYPE_CHECKING:
    from automl.ledger.rows import CampaignRow

PATIENCE: Final = 10.0  # seconds a transaction waits for a lock before the recorder tries again
CHUNK: Final = 500  # run ids in one statement
_CHANGED: Final = ("name", "user_id", "status", "start_time", "end_time", "lifecycle_stage", "deleted_time")
_NEWEST: Final = ("value", "timestamp", "step", "is_nan")


class DirectWriter:
    """A `Writer` for MLflow's tables on SQLite or PostgreSQL."""

    batch = 200  # one transaction

    def __init__(
        self, client: MlflowClient, experiment: Experiment, campaign: CampaignRow, url: str, staging: Staging
    ) -> None:
        self._client, self._experiment, self._campaign, self._staging = client, experiment, campaign, staging
        self._db = Database(url, patience=PATIENCE, subject=MLFLOW)
        insert = postgresql.insert if self._db.dialect == "postgresql" else sqlite.insert
        self._add_runs = _upsert(insert(RUNS), ["run_uuid"], _CHANGED)
        self._add_latest = _upsert(insert(LATEST), ["key", "run_uuid"], _NEWEST)
        self._add_metrics = insert(METRICS).on_conflict_do_nothing()
        self._add_run = insert(RUNS).on_conflict_do_nothing().execution_options(preserve_rowcount=True)

    def write(self, runs: Sequence[WantedRun]) -> None:
        """See `Writer.write`."""
        if not runs:
            return
        rows, tables = [run_row(run, self._experiment) for run in runs], rows_of(runs)

        def work(connection: sa.Connection) -> None:
            present = _present(connection, [run.uid for run in runs])
            if present:
                ours = (TAGS.c.run_uuid == sa.bindparam("uid")) & TAGS.c.key.startswith("automl.")
                connection.execute(sa.delete(TAGS).where(ours), [{"uid": uid} for uid in sorted(present)])
            for table, values in tables:
                _clear(connection, table, [row for row in values if row["run_uuid"] in present])
            connection.execute(self._add_runs, rows)
            for table, values in tables:
                if values:
                    connection.execute(sa.insert(table), values)

        self._db.write(work)
        self._log_datasets(runs)

    def create(self, runs: Sequence[WantedRun]) -> None:
        """See `Writer.create`."""

        def work(connection: sa.Connection) -> set[str]:
            adding = (
                (run, connection.execute(self._add_run, run_row(run, self._experiment))) for run in runs
            )
            new = [run for run, added in adding if added.rowcount]
            for table, values in rows_of(new):
                if values:
                    connection.execute(sa.insert(table), values)
            return {run.uid for run in new}

        created = self._db.write(work, synced=False)  # a power failure ends the trial too
        self._log_datasets([run for run in runs if run.uid in created])

    def begin(self, run: WantedRun) -> RunAddress:
        """See `Writer.begin`."""
        self.create([run])
        return RunAddress(self._client.tracking_uri, self._experiment.id, run.uid)

    def _log_datasets(self, runs: Sequence[WantedRun]) -> None:
        for run in runs:
            log_dataset(self._client, run.uid, run)

    def append(self, points: Mapping[str, list[Point]]) -> None:
        """See `Writer.append`; each run's points are newer than those it has."""
        if not points:
            return

        def work(connection: sa.Connection) -> None:
            present = _present(connection, list(points))
            for statement, select in ((self._add_metrics, list), (self._add_latest, latest_points)):
                rows = [row for uid in present for row in metric_rows(uid, select(points[uid]))]
                if rows:
                    connection.execute(statement, rows)

        self._db.write(work)

    def read(self) -> Iterator[list[StoredRun]]:
        """See `Writer.read`."""
        prefix = self._campaign.id
        query = (
            sa.select(RUNS.c.run_uuid, RUNS.c.status, TAGS.c.value)
            .join(TAGS, (TAGS.c.run_uuid == RUNS.c.run_uuid) & (TAGS.c.key == "automl.id"))
            .where(RUNS.c.experiment_id == int(self._experiment.id), RUNS.c.lifecycle_stage == "active")
            .where((TAGS.c.value == prefix) | TAGS.c.value.startswith(f"{prefix}/", autoescape=True))
            .order_by(RUNS.c.start_time)
        )
        found = self._db.read(lambda connection: [tuple(row) for row in connection.execute(query)])
        for start in range(0, len(found), CHUNK):
            chunk = found[start : start + CHUNK]
            yield self._db.read(lambda connection, chunk=chunk: _stored(connection, chunk))  # type: ignore[misc]

    def tags(self, uid: str) -> Mapping[str, str] | None:
        """See `Writer.tags`."""
        found = self._db.read(lambda connection: _grouped(connection, TAGS, [uid], ("key", "value")))
        return dict(found[uid]) or None  # every run has tags

    def files(self, run_id: str) -> set[str]:
        """See `Writer.files`."""
        location = f"{self._experiment.location}/{run_id}/artifacts"
        if is_local_uri(location):  # type: ignore[no-untyped-call]
            folder = Path(local_file_uri_to_path(location))  # type: ignore[no-untyped-call]
            return {one.name for one in folder.iterdir()} if folder.is_dir() else set()
        return {str(one.path) for one in self._client.list_artifacts(run_id)}

    def absent(self, uids: Collection[str]) -> set[str]:
        """See `Writer.absent`; a run in MLflow's trash is there."""
        return set(uids) - self._db.read(lambda connection: _present(connection, list(uids)))

    def upload(self, uid: str, artifacts: Sequence[Artifact]) -> None:
        """See `Writer.upload`."""
        upload(self._client, uid, artifacts, self._staging)

    def delete(self, run_id: str) -> None:
        """See `Writer.delete`."""
        self._client.delete_run(run_id)

    def settle(self) -> None:
        """Nothing: a run's id is its uid."""

    def close(self) -> None:
        """See `Writer.close`."""
        self._db.close()


def _upsert(insert: postgresql.Insert | sqlite.Insert, keys: list[str], changed: Iterable[str]) -> sa.Insert:
    values = {name: insert.excluded[name] for name in changed}
    return insert.on_conflict_do_update(index_elements=keys, set_=values)


def _present(connection: sa.Connection, uids: Sequence[str]) -> set[str]:
    chunks = (uids[start : start + CHUNK] for start in range(0, len(uids), CHUNK))
    found = (sa.select(RUNS.c.run_uuid).where(RUNS.c.run_uuid.in_(chunk)) for chunk in chunks)
    return {uid for query in found for uid in connection.scalars(query)}


def _clear(connection: sa.Connection, table: sa.Table, rows: Sequence[Values]) -> None:
    """Remove what `rows` are about to replace: all values of their runs and keys."""
    if rows:
        keys = {(str(row["run_uuid"]), str(row["key"])) for row in rows}
        parameters = [{"uid": uid, "name": key} for uid, key in sorted(keys)]
        match = (table.c.run_uuid == sa.bindparam("uid")) & (table.c.key == sa.bindparam("name"))
        connection.execute(sa.delete(table).where(match), parameters)


def _stored(connection: sa.Connection, found: Sequence[tuple[Any, ...]]) -> list[StoredRun]:
    """Runs as they are stored, by their ids, status and identities."""
    ids = [run_id for run_id, _, _ in found]
    params, tags = (_grouped(connection, table, ids, ("key", "value")) for table in (PARAMS, TAGS))
    points = _grouped(connection, METRICS, ids, (*Point._fields, "is_nan"))
    return [
        StoredRun(
            run_id=run_id,
            identity=identity,
            uid=(uid := dict(tags[run_id]).get("automl.uid")),
            status=status,
            params=dict(params[run_id]),
            tags=dict(tags[run_id]),
            latest={},  # all points are known
            points=set(map(_point, points[run_id])),
            rank=(int(run_id != uid),),
        )
        for run_id, status, identity in found
    ]


def _grouped(
    connection: sa.Connection, table: sa.Table, runs: Collection[str], names: Sequence[str]
) -> dict[str, list[tuple[Any, ...]]]:
    """By run id, the columns `names` of its rows of `table`."""
    run_ids = list(runs)
    grouped: dict[str, list[tuple[Any, ...]]] = {run_id: [] for run_id in run_ids}
    columns = sa.select(table.c.run_uuid, *(table.c[name] for name in names))
    for start in range(0, len(run_ids), CHUNK):
        chunk = table.c.run_uuid.in_(run_ids[start : start + CHUNK])
        for run_id, *values in connection.execute(columns.where(chunk)):
            grouped[run_id].append(tuple(values))
    return grouped


def _point(values: tuple[Any, ...]) -> Point:
    key, value, timestamp, step, is_nan = values
    return Point(key, math.nan if is_nan else value, timestamp, step)
