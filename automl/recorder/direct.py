"""Writes runs into MLflow's own tables, through MLflow's own table models, many in one transaction.

Used for the versions in `writer_choice.VERIFIED` only: a test compares, through MlflowClient, what this
writes with what `log_batch` writes. A run's id is its uid, so a second writing changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

import sqlalchemy as sa
from mlflow import MlflowClient
from mlflow.store.tracking.dbmodels.models import SqlLatestMetric, SqlMetric, SqlParam, SqlRun, SqlTag
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_USER
from mlflow.utils.uri import append_to_uri_path
from sqlalchemy.dialects import postgresql, sqlite

from automl.contracts import RunAddress
from automl.ledger.database import Database
from automl.ledger.errors import MLFLOW
from automl.recorder.experiments import Experiment
from automl.recorder.points import Point, latest_points, stored_value
from automl.recorder.uploads import Staging, log_dataset, upload
from automl.recorder.wanted_run import Artifact, WantedRun
from automl.recorder.writer import StoredRun

if TYPE_CHECKING:
    from automl.ledger.rows import CampaignRow

T = TypeVar("T")
Values: TypeAlias = dict[str, object]  # column: value
PATIENCE: Final = 10.0  # seconds a transaction waits for a lock before the recorder tries again
CHUNK: Final = 500  # run ids in one statement
_RUNS: sa.Table = SqlRun.__table__
_TAGS: sa.Table = SqlTag.__table__
_PARAMS: sa.Table = SqlParam.__table__
_METRICS: sa.Table = SqlMetric.__table__
_LATEST: sa.Table = SqlLatestMetric.__table__
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
        self._add_runs = _upsert(insert(_RUNS), ["run_uuid"], _CHANGED)
        self._add_latest = _upsert(insert(_LATEST), ["key", "run_uuid"], _NEWEST)
        self._add_metrics = insert(_METRICS).on_conflict_do_nothing()

    def write(self, runs: Sequence[WantedRun]) -> None:
        """See `Writer.write`."""
        if runs:
            self._write(runs, synced=True)

    def begin(self, run: WantedRun) -> RunAddress:
        """See `Writer.begin`."""
        self._write([run], synced=False)  # a power failure ends the trial too
        return RunAddress(self._client.tracking_uri, self._experiment.id, run.uid)

    def _write(self, runs: Sequence[WantedRun], *, synced: bool) -> None:
        rows = [_run_row(run, self._experiment) for run in runs]
        tables = (
            (_TAGS, [row for run in runs for row in _tag_rows(run)]),
            (_PARAMS, [row for run in runs for row in _param_rows(run)]),
            (_METRICS, [row for run in runs for row in _metric_rows(run.uid, run.metrics)]),
            (_LATEST, [row for run in runs for row in _metric_rows(run.uid, latest_points(run.metrics))]),
        )

        def work(connection: sa.Connection) -> None:
            present = _present(connection, [run.uid for run in runs])
            if present:
                ours = (_TAGS.c.run_uuid == sa.bindparam("uid")) & _TAGS.c.key.startswith("automl.")
                connection.execute(sa.delete(_TAGS).where(ours), [{"uid": uid} for uid in sorted(present)])
            for table, values in tables:
                _clear(connection, table, [row for row in values if row["run_uuid"] in present])
            connection.execute(self._add_runs, rows)
            for table, values in tables:
                if values:
                    connection.execute(sa.insert(table), values)

        self._db.write(work, synced=synced)
        for run in runs:
            log_dataset(self._client, run.uid, run)

    def append(self, points: Mapping[str, list[Point]]) -> None:
        """See `Writer.append`; each run's points are newer than those it has."""
        if not points:
            return

        def work(connection: sa.Connection) -> None:
            present = _present(connection, list(points))
            for statement, select in ((self._add_metrics, list), (self._add_latest, latest_points)):
                rows = [row for uid in present for row in _metric_rows(uid, select(points[uid]))]
                if rows:
                    connection.execute(statement, rows)

        self._db.write(work)

    def read(self) -> list[StoredRun]:
        """See `Writer.read`."""
        prefix = self._campaign.id
        query = (
            sa.select(_RUNS.c.run_uuid, _RUNS.c.status, _TAGS.c.value)
            .join(_TAGS, (_TAGS.c.run_uuid == _RUNS.c.run_uuid) & (_TAGS.c.key == "automl.id"))
            .where(_RUNS.c.experiment_id == int(self._experiment.id), _RUNS.c.lifecycle_stage == "active")
            .where((_TAGS.c.value == prefix) | _TAGS.c.value.startswith(f"{prefix}/", autoescape=True))
            .order_by(_RUNS.c.start_time)
        )

        def work(connection: sa.Connection) -> list[StoredRun]:
            rows = {row.run_uuid: row for row in connection.execute(query)}
            params, tags = (
                _grouped(connection, table, rows, attrgetter("key", "value")) for table in (_PARAMS, _TAGS)
            )
            points = _grouped(connection, _METRICS, rows, _point)
            latest = _grouped(connection, _LATEST, rows, _point)
            return [
                StoredRun(
                    run_id=run_id,
                    identity=row.value,
                    uid=(run_tags := dict(tags[run_id])).get("automl.uid"),
                    status=row.status,
                    params=dict(params[run_id]),
                    tags=run_tags,
                    latest={point.key: point.value for point in latest[run_id]},
                    points=set(points[run_id]),
                )
                for run_id, row in rows.items()
            ]

        return sorted(self._db.read(work), key=lambda run: run.run_id != run.uid)

    def tags(self, uid: str) -> Mapping[str, str] | None:
        """See `Writer.tags`."""
        found = self._db.read(
            lambda connection: _grouped(connection, _TAGS, [uid], attrgetter("key", "value"))
        )
        return dict(found[uid]) or None  # every run has tags

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


def _run_row(run: WantedRun, experiment: Experiment) -> Values:
    return {
        "run_uuid": run.uid,
        "name": run.name,
        "source_type": "UNKNOWN",
        "source_name": "",
        "entry_point_name": "",
        "user_id": run.tags.get(MLFLOW_USER, "unknown"),
        "status": run.status,
        "start_time": run.start,
        "end_time": run.end,
        "deleted_time": None,
        "source_version": "",
        "lifecycle_stage": "active",
        "artifact_uri": append_to_uri_path(experiment.location, run.uid, "artifacts"),  # type: ignore[no-untyped-call]
        "experiment_id": int(experiment.id),
    }


def _tag_rows(run: WantedRun) -> Iterable[Values]:
    for key, value in run.tags.items():
        yield {"run_uuid": run.uid, "key": key, "value": value}
    if run.parent is not None:
        yield {"run_uuid": run.uid, "key": MLFLOW_PARENT_RUN_ID, "value": run.parent}


def _param_rows(run: WantedRun) -> Iterable[Values]:
    for key, value in run.params.items():
        yield {"run_uuid": run.uid, "key": key, "value": value}


def _metric_rows(uid: str, points: Iterable[Point]) -> Iterable[Values]:
    """A row per point; points that MLflow's tables cannot tell apart become one."""
    rows: dict[tuple[Point, bool], Values] = {}
    for point in points:
        value, is_nan = stored_value(point.value)
        stored = point._replace(value=value)
        rows[stored, is_nan] = {"run_uuid": uid, **stored._asdict(), "is_nan": is_nan}
    return rows.values()


def _present(connection: sa.Connection, uids: Sequence[str]) -> set[str]:
    chunks = (uids[start : start + CHUNK] for start in range(0, len(uids), CHUNK))
    found = (sa.select(_RUNS.c.run_uuid).where(_RUNS.c.run_uuid.in_(chunk)) for chunk in chunks)
    return {uid for query in found for uid in connection.scalars(query)}


def _clear(connection: sa.Connection, table: sa.Table, rows: Sequence[Values]) -> None:
    """Remove what `rows` are about to replace: all values of their runs and keys."""
    if rows:
        keys = {(str(row["run_uuid"]), str(row["key"])) for row in rows}
        parameters = [{"uid": uid, "name": key} for uid, key in sorted(keys)]
        match = (table.c.run_uuid == sa.bindparam("uid")) & (table.c.key == sa.bindparam("name"))
        connection.execute(sa.delete(table).where(match), parameters)


def _grouped(
    connection: sa.Connection, table: sa.Table, runs: Collection[str], entry: Callable[[sa.Row[Any]], T]
) -> dict[str, list[T]]:
    """By run id, the entries that its rows of `table` become."""
    run_ids = list(runs)
    grouped: dict[str, list[T]] = {run_id: [] for run_id in run_ids}
    for start in range(0, len(run_ids), CHUNK):
        chunk = table.c.run_uuid.in_(run_ids[start : start + CHUNK])
        for row in connection.execute(sa.select(table).where(chunk)):
            grouped[row.run_uuid].append(entry(row))
    return grouped


def _point(row: sa.Row[Any]) -> Point:
    return Point(row.key, math.nan if row.is_nan else row.value, row.timestamp, row.step)
