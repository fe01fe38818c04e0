"""The rows of MLflow's tables that are a run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

import sqlalchemy as sa
from mlflow.store.tracking.dbmodels.models import SqlLatestMetric, SqlMetric, SqlParam, SqlRun, SqlTag
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_USER
from mlflow.utils.uri import append_to_uri_path

from automl.recorder.experiments import Experiment
from automl.recorder.points import Point, latest_points, stored_value
from automl.recorder.wanted_run import WantedRun

Values: TypeAlias = dict[str, object]  # column: value
RUNS: Final[sa.Table] = SqlRun.__table__
TAGS: Final[sa.Table] = SqlTag.__table__
PARAMS: Final[sa.Table] = SqlParam.__table__
METRICS: Final[sa.Table] = SqlMetric.__table__
LATEST: Final[sa.Table] = SqlLatestMetric.__table__


def rows_of(runs: Sequence[WantedRun]) -> tuple[tuple[sa.Table, list[Values]], ...]:
    """By table, the rows of runs besides those of the runs themselves."""
    return (
        (TAGS, [row for run in runs for row in _tag_rows(run)]),
        (PARAMS, [row for run in runs for row in _param_rows(run)]),
        (METRICS, [row for run in runs for row in metric_rows(run.uid, run.metrics)]),
        (LATEST, [row for run in runs for row in metric_rows(run.uid, latest_points(run.metrics))]),
    )


def run_row(run: WantedRun, experiment: Experiment) -> Values:
    """The row of the run itself."""
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


def metric_rows(uid: str, points: Iterable[Point]) -> Iterable[Values]:
    """A row per point; points that MLflow's tables cannot tell apart become one."""
    rows: dict[tuple[Point, bool], Values] = {}
    for point in points:
        value, is_nan = stored_value(point.value)
        stored = point._replace(value=value)
        rows[stored, is_nan] = {"run_uuid": uid, **stored._asdict(), "is_nan": is_nan}
    return rows.values()
