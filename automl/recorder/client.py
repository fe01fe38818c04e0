"""Writes runs through MlflowClient: for tracking servers, and for MLflow versions not yet verified.

A server may have done what it never answered. So before a run is created it is looked for by its
uid, after any failure everything is looked up again, and doubles are removed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from automl.recorder.images import Artifact, RunImage
from automl.recorder.points import Point
from automl.recorder.tracking import Experiment, Recorded, log_dataset, upload

if TYPE_CHECKING:
    from automl.ledger.rows import CampaignRow

PAGE: Final = 1000  # runs in one answer
_ENDED: Final = ("FINISHED", "FAILED", "KILLED")
_GONE: Final = ("RESOURCE_DOES_NOT_EXIST", "INVALID_STATE")


class ClientWriter:
    """A `Writer` for anything that MlflowClient can talk to."""

    batch = 10  # several calls each: what a failure makes us do again stays little

    def __init__(self, client: MlflowClient, experiment: Experiment, campaign: CampaignRow) -> None:
        self._client, self._experiment, self._campaign = client, experiment, campaign
        self._known: dict[str, str] | None = None  # uid: run id; None when it must be looked up

    def write(self, images: Sequence[RunImage]) -> None:
        """See `Writer.write`. A run whose recorded values cannot be mended is replaced."""
        with self._sure():
            known = self._lookup()
            for image in images:
                run_id = known.get(image.uid)
                if run_id is not None and not self._update(run_id, image, known):
                    self._client.delete_run(run_id)
                    run_id = None
                if run_id is None:
                    known.pop(image.uid, None)
                    run_id = known[image.uid] = self._create(image, known)
                log_dataset(self._client, run_id, image)

    def append(self, points: Mapping[str, list[Point]]) -> None:
        """See `Writer.append`."""
        with self._sure():
            known = self._lookup()
            for uid, added in points.items():
                if uid not in known:
                    continue
                try:
                    self._client.log_batch(known[uid], metrics=_metrics(added))
                except MlflowException as error:
                    if error.error_code not in _GONE:
                        raise

    def read(self) -> list[Recorded]:
        """See `Writer.read`; only the latest value of each metric is known."""
        prefix = self._campaign.id
        runs = [_recorded(run) for run in self._search(f"tags.\"automl.id\" LIKE '{prefix}%'")]
        own = [run for run in runs if run.identity == prefix or run.identity.startswith(f"{prefix}/")]
        return sorted(own, key=lambda run: (run.uid is None, run.status not in _ENDED, -len(run.latest)))

    def upload(self, uid: str, artifacts: Sequence[Artifact]) -> None:
        """See `Writer.upload`."""
        if artifacts:
            with self._sure():
                upload(self._client, self._lookup()[uid], artifacts)

    def delete(self, run_id: str) -> None:
        """See `Writer.delete`."""
        with self._sure():
            self._client.delete_run(run_id)
        self._known = None

    def settle(self) -> None:
        """See `Writer.settle`."""
        self._known = None
        with self._sure():
            self._lookup()

    def close(self) -> None:
        """Nothing to close."""

    def _sure(self) -> _Doubt:
        return _Doubt(self)

    def _lookup(self) -> dict[str, str]:
        """The run of each uid of this campaign; doubles are removed on the way."""
        if self._known is None:
            known: dict[str, str] = {}
            for run in self.read():
                if run.uid is None:
                    continue
                if run.uid in known:
                    self._client.delete_run(run.run_id)
                else:
                    known[run.uid] = run.run_id
            self._known = known
        return self._known

    def _create(self, image: RunImage, known: Mapping[str, str]) -> str:
        tags = _tags(image, known)
        run = self._client.create_run(self._experiment.id, image.start, tags, image.name)
        run_id = str(run.info.run_id)
        self._client.log_batch(run_id, _metrics(image.metrics), _params(image))
        self._set_status(run_id, image)
        return run_id

    def _update(self, run_id: str, image: RunImage, known: Mapping[str, str]) -> bool:
        """Bring an existing run to its image; False when it has to be replaced by a new one."""
        if image.rewritten and image.status in _ENDED:
            return False
        tags = [RunTag(key, value) for key, value in _tags(image, known).items()]
        try:
            self._client.log_batch(run_id, _metrics(image.metrics), _params(image), tags)
            self._set_status(run_id, image)
        except MlflowException as error:
            if error.error_code in ("INVALID_PARAMETER_VALUE", *_GONE):  # another value is there, or no run
                return False
            raise
        return True

    def _set_status(self, run_id: str, image: RunImage) -> None:
        if image.status in _ENDED:
            self._client.set_terminated(run_id, image.status, image.end)
        else:
            self._client.update_run(run_id, image.status)

    def _search(self, query: str) -> list[Run]:
        found: list[Run] = []
        token: str | None = None
        while True:
            page = self._client.search_runs(
                [self._experiment.id], query, max_results=PAGE, order_by=["start_time ASC"], page_token=token
            )
            found.extend(page)
            token = page.token
            if not token:
                return found


class _Doubt:
    """After a failure nothing is known for sure: the next writing looks everything up again."""

    def __init__(self, writer: ClientWriter) -> None:
        self._writer = writer

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        if kind is not None:
            self._writer._known = None


def _tags(image: RunImage, known: Mapping[str, str]) -> dict[str, str]:
    if image.parent is None:
        return image.tags
    return {**image.tags, MLFLOW_PARENT_RUN_ID: known[image.parent]}


def _metrics(points: Sequence[Point]) -> list[Metric]:
    return [Metric(point.key, point.value, point.timestamp, point.step) for point in points]


def _params(image: RunImage) -> list[Param]:
    return [Param(key, value) for key, value in image.params.items()]


def _recorded(run: Any) -> Recorded:
    tags = run.data.tags
    return Recorded(
        run_id=run.info.run_id,
        identity=tags["automl.id"],
        uid=tags.get("automl.uid"),
        status=run.info.status,
        params=run.data.params,
        tags=tags,
        latest=run.data.metrics,
    )
