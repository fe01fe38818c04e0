"""Writes runs into MLflow's own tables, through MLflow's own table models, many in one transaction.

Used for the versions in `tracking.VERIFIED` only: a test compares, through MlflowClient, what this
leaves with what `log_batch` leaves. A run's id is its uid, so writing twice changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from mlflow import MlflowClient
from mlflow.store.tracking.dbmodels.models import SqlLatestMetric, SqlMetric, SqlParam, SqlRun, SqlTag
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_USER
from mlflow.utils.uri import append_to_uri_path
from sqlalchemy.dialects import postgresql, sqlite

from automl.ledger.database import Database
from automl.recorder.images import Artifact, RunImage
from automl.recorder.points import Point, latest_points, stored_value
from automl.recorder.tracking import Experiment, Recorded, log_dataset, upload

if TYPE_CHECKING:
    from automl.ledger.rows import CampaignRow

PATIENCE: Final = 10.0  # seconds a transaction waits for a lock before the recorder tries again
CHUNK: Final = 500  # run ids in one statement
_RUNS, _TAGS, _PARAMS = SqlRun.__table__, SqlTag.__table__, SqlParam.__table__
_METRICS, _LATEST = SqlMetric.__table__, SqlLatestMetric.__table__
_CHANGED: Final = ("name", "user_id", "status", "start_time", "end_time", "lifecycle_stage", "deleted_time")
_NEWEST: Final = ("value", "timestamp", "step", "is_nan")


class DirectWriter:
    """A `Writer` for MLflow's tables on SQLite or PostgreSQL."""

    batch = 200  # one transaction

    def __init__(self, client: MlflowClient, experiment: Experiment, campaign: CampaignRow, url: str) -> None:
        self._client, self._experiment, self._campaign = client, experiment, campaign
        self._db = Database(url, patience=PATIENCE)
        insert = postgresql.insert if self._db.dialect == "postgresql" else sqlite.insert
        self._add_runs = _upsert(insert(_RUNS), ["run_uuid"], _CHANGED)
        self._add_latest = _upsert(insert(_LATEST), ["key", "run_uuid"], _NEWEST)
        self._add_metrics = insert(_METRICS).on_conflict_do_nothing()

    def write(self, images: Sequence[RunImage]) -> None:
        """See `Writer.write`."""
        if not images:
            return
        rows = [_run_row(image, self._experiment) for image in images]
        tags = [row for image in images for row in _tag_rows(image)]
        params = [
            {"run_uuid": image.uid, "key": key, "value": value}
            for image in images
            for key, value in image.params.items()
        ]
        metrics = [row for image in images for row in _metric_rows(image.uid, image.metrics)]
        latest = [row for image in images for row in _metric_rows(image.uid, latest_points(image.metrics))]

        def work(connection: sa.Connection) -> None:
            present = _present(connection, [image.uid for image in images])
            own = (_TAGS.c.run_uuid == sa.bindparam("uid")) & _TAGS.c.key.startswith("automl.")
            if present:
                connection.execute(sa.delete(_TAGS).where(own), [{"uid": uid} for uid in sorted(present)])
            for table, given in ((_TAGS, tags), (_PARAMS, params), (_METRICS, metrics), (_LATEST, latest)):
                _clear(connection, table, [row for row in given if row["run_uuid"] in present])
            connection.execute(self._add_runs, rows)
            for statement, given in (
                (sa.insert(_TAGS), tags),
                (sa.insert(_PARAMS), params),
                (sa.insert(_METRICS), metrics),
                (sa.insert(_LATEST), latest),
            ):
                if given:
                    connection.execute(statement, given)

        self._db.write(work)
        for image in images:
            log_dataset(self._client, image.uid, image)

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

    def read(self) -> list[Recorded]:
        """See `Writer.read`."""
        prefix = self._campaign.id
        query = (
            sa.select(_RUNS.c.run_uuid, _RUNS.c.status, _TAGS.c.value)
            .join(_TAGS, (_TAGS.c.run_uuid == _RUNS.c.run_uuid) & (_TAGS.c.key == "automl.id"))
            .where(_RUNS.c.experiment_id == int(self._experiment.id), _RUNS.c.lifecycle_stage == "active")
            .where((_TAGS.c.value == prefix) | _TAGS.c.value.startswith(f"{prefix}/", autoescape=True))
            .order_by(_RUNS.c.start_time)
        )

        def work(connection: sa.Connection) -> list[Recorded]:
            found = {row.run_uuid: row for row in connection.execute(query)}
            params, tags = (_grouped(connection, table, found, _pair) for table in (_PARAMS, _TAGS))
            points = _grouped(connection, _METRICS, found, _point)
            latest = _grouped(connection, _LATEST, found, _point)
            return [
                Recorded(
                    run_id=run_id,
                    identity=row.value,
                    uid=(own := dict(tags[run_id])).get("automl.uid"),
                    status=row.status,
                    params=dict(params[run_id]),
                    tags=own,
                    latest={point.key: point.value for point in latest[run_id]},
                    points=set(points[run_id]),
                )
                for run_id, row in found.items()
            ]

        runs = self._db.read(work)
        return sorted(runs, key=lambda run: run.run_id != run.uid)

    def upload(self, uid: str, artifacts: Sequence[Artifact]) -> None:
        """See `Writer.upload`."""
        upload(self._client, uid, artifacts)

    def delete(self, run_id: str) -> None:
        """See `Writer.delete`."""
        self._client.delete_run(run_id)

    def settle(self) -> None:
        """Nothing to do: a run's id is its uid, so there are no doubles."""

    def close(self) -> None:
        """See `Writer.close`."""
        self._db.close()


def _upsert(insert: Any, keys: list[str], changed: Iterable[str]) -> Any:
    return insert.on_conflict_do_update(
        index_elements=keys, set_={name: insert.excluded[name] for name in changed}
    )


def _run_row(image: RunImage, experiment: Experiment) -> dict[str, Any]:
    return {
        "run_uuid": image.uid,
        "name": image.name,
        "source_type": "UNKNOWN",
        "source_name": "",
        "entry_point_name": "",
        "user_id": image.tags.get(MLFLOW_USER, "unknown"),
        "status": image.status,
        "start_time": image.start,
        "end_time": image.end,
        "deleted_time": None,
        "source_version": "",
        "lifecycle_stage": "active",
        "artifact_uri": _artifact_uri(experiment.location, image.uid),
        "experiment_id": int(experiment.id),
    }


def _artifact_uri(location: str, run_id: str) -> str:
    uri: str = append_to_uri_path(location, run_id, "artifacts")  # type: ignore[no-untyped-call]
    return uri


def _tag_rows(image: RunImage) -> Iterable[dict[str, Any]]:
    for key, value in image.tags.items():
        yield {"run_uuid": image.uid, "key": key, "value": value}
    if image.parent is not None:
        yield {"run_uuid": image.uid, "key": MLFLOW_PARENT_RUN_ID, "value": image.parent}


def _metric_rows(uid: str, points: Iterable[Point]) -> list[dict[str, Any]]:
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for point in points:
        value, is_nan = stored_value(point.value)
        rows[(*point[2:], point.key, value, is_nan)] = {
            "run_uuid": uid,
            "key": point.key,
            "value": value,
            "timestamp": point.timestamp,
            "step": point.step,
            "is_nan": is_nan,
        }
    return list(rows.values())


def _present(connection: sa.Connection, uids: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(uids), CHUNK):
        chunk = _RUNS.c.run_uuid.in_(uids[start : start + CHUNK])
        found.update(connection.scalars(sa.select(_RUNS.c.run_uuid).where(chunk)))
    return found


def _clear(connection: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    """Remove what `rows` are about to write anew: all values of their runs and keys."""
    if rows:
        keys = {(row["run_uuid"], row["key"]) for row in rows}
        given = [{"uid": uid, "name": key} for uid, key in sorted(keys)]
        match = (table.c.run_uuid == sa.bindparam("uid")) & (table.c.key == sa.bindparam("name"))
        connection.execute(sa.delete(table).where(match), given)


def _grouped(
    connection: sa.Connection, table: sa.Table, runs: Mapping[str, Any], entry: Any
) -> dict[str, list[Any]]:
    grouped: dict[str, list[Any]] = {run_id: [] for run_id in runs}
    identities = list(runs)
    for start in range(0, len(identities), CHUNK):
        chunk = table.c.run_uuid.in_(identities[start : start + CHUNK])
        for row in connection.execute(sa.select(table).where(chunk)):
            grouped[row.run_uuid].append(entry(row))
    return grouped


def _pair(row: Any) -> tuple[str, str]:
    return row.key, row.value


def _point(row: Any) -> Point:
    return Point(row.key, math.nan if row.is_nan else row.value, row.timestamp, row.step)
