"""Writes runs through MlflowClient: for tracking servers, and for MLflow versions not yet verified.

A server may have completed a request whose answer was lost. So a run is looked up by its uid before it
is created, everything is looked up again after any failure, and duplicates are removed.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from automl.contracts import RunAddress, RunError
from automl.moments import moment
from automl.recorder.experiments import Experiment
from automl.recorder.points import Point
from automl.recorder.uploads import Staging, log_dataset, upload
from automl.recorder.wanted_run import Artifact, WantedRun
from automl.recorder.writer import Beat, StoredRun

if TYPE_CHECKING:
    from automl.ledger.rows import CampaignRow

PAGE: Final = 1000  # runs in one answer
_ENDED: Final = ("FINISHED", "FAILED", "KILLED")
_GONE: Final = ("RESOURCE_DOES_NOT_EXIST", "INVALID_STATE")


class ClientWriter:
    """A `Writer` for anything that MlflowClient can talk to."""

    batch = 10  # several calls each: little is repeated after a failure

    def __init__(
        self,
        client: MlflowClient,
        experiment: Experiment,
        campaign: CampaignRow,
        staging: Staging,
        beat: Beat = lambda: None,
    ) -> None:
        self._client, self._experiment, self._campaign = client, experiment, campaign
        self._staging, self._beat = staging, beat
        self._run_ids: dict[str, str] | None = None  # by uid; None: to be looked up
        self._one = threading.RLock()  # one thread at a time, or a run is made twice

    def write(self, runs: Sequence[WantedRun]) -> None:
        """See `Writer.write`. A stored run whose values cannot be corrected is replaced."""
        with self._lookup_again_on_failure():
            run_ids = self._lookup()
            for run in runs:
                run_id = run_ids.get(run.uid)
                if run_id is not None and not self._update(run_id, run, run_ids):
                    self._client.delete_run(run_id)
                    run_id = None
                if run_id is None:
                    run_ids.pop(run.uid, None)
                    run_id = run_ids[run.uid] = self._create(run, run_ids)
                log_dataset(self._client, run_id, run)
                self._beat()

    def create(self, runs: Sequence[WantedRun]) -> None:
        """See `Writer.create`."""
        with self._lookup_again_on_failure():
            self.write([run for run in runs if run.uid not in self._lookup()])

    def begin(self, run: WantedRun) -> RunAddress:
        """See `Writer.begin`."""
        with self._lookup_again_on_failure():
            self.create([run])
            return RunAddress(self._client.tracking_uri, self._experiment.id, self._lookup()[run.uid])

    def append(self, points: Mapping[str, list[Point]]) -> None:
        """See `Writer.append`."""
        with self._lookup_again_on_failure():
            run_ids = self._lookup()
            for uid, added in points.items():
                if uid not in run_ids:
                    continue
                try:
                    self._client.log_batch(run_ids[uid], metrics=_metrics(added))
                except MlflowException as error:
                    if error.error_code not in _GONE:
                        raise

    def read(self) -> Iterator[list[StoredRun]]:
        """See `Writer.read`; only the latest value of each metric is known."""
        prefix = self._campaign.id
        for page in self._search(f"tags.\"automl.id\" LIKE '{prefix}%'"):
            found = map(_stored_run, page)
            yield [run for run in found if run.identity == prefix or run.identity.startswith(f"{prefix}/")]

    def tags(self, uid: str) -> Mapping[str, str] | None:
        """See `Writer.tags`."""
        found = next(self._search(f"tags.\"automl.uid\" = '{uid}'"), [])
        return None if not found else dict(found[0].data.tags)

    def files(self, run_id: str) -> set[str]:
        """See `Writer.files`."""
        found = {str(one.path) for one in self._client.list_artifacts(run_id)}
        self._beat()
        return found

    def absent(self, uids: Collection[str]) -> set[str]:
        """See `Writer.absent`."""
        self._run_ids = None
        with self._lookup_again_on_failure():
            return set(uids) - self._lookup().keys()

    def upload(self, uid: str, artifacts: Sequence[Artifact]) -> None:
        """See `Writer.upload`."""
        if artifacts:
            with self._lookup_again_on_failure():
                upload(self._client, self._lookup()[uid], artifacts, self._staging)
                self._beat()

    def delete(self, run_id: str) -> None:
        """See `Writer.delete`."""
        with self._lookup_again_on_failure():
            self._client.delete_run(run_id)
        self._run_ids = None

    def settle(self) -> None:
        """See `Writer.settle`."""
        self._run_ids = None
        with self._lookup_again_on_failure():
            self._lookup()

    def close(self) -> None:
        """Nothing to close."""

    @contextmanager
    def _lookup_again_on_failure(self) -> Iterator[None]:
        """After a failure nothing is certain: the next writing looks everything up again."""
        with self._one:
            try:
                yield
            except BaseException:
                self._run_ids = None
                raise

    def _lookup(self) -> dict[str, str]:
        """The run id of each uid of this campaign; duplicates are removed on the way."""
        if self._run_ids is None:
            run_ids: dict[str, str] = {}
            read = ((run.rank, run.uid, run.run_id) for page in self.read() for run in page)
            for _, uid, run_id in sorted(read, key=itemgetter(0)):
                if uid is None:
                    continue
                if uid in run_ids:
                    self._client.delete_run(run_id)
                else:
                    run_ids[uid] = run_id
            self._run_ids = run_ids
        return self._run_ids

    def _create(self, run: WantedRun, run_ids: Mapping[str, str]) -> str:
        created = self._client.create_run(self._experiment.id, run.start, _tags(run, run_ids), run.name)
        run_id = str(created.info.run_id)
        if not run_id:
            raise RunError(f"it must name the run that it has made for {run.identity}, but names none")
        moment("request.end", "create_run")
        self._client.log_batch(run_id, _metrics(run.metrics), _params(run))
        moment("request.end", "log_batch")
        self._set_status(run_id, run)
        return run_id

    def _update(self, run_id: str, run: WantedRun, run_ids: Mapping[str, str]) -> bool:
        """Correct a stored run; False when a new one has to replace it."""
        if run.rewritten and run.status in _ENDED:
            return False
        tags = [RunTag(key, value) for key, value in _tags(run, run_ids).items()]
        try:
            self._client.log_batch(run_id, _metrics(run.metrics), _params(run), tags)
            self._set_status(run_id, run)
        except MlflowException as error:
            if error.error_code in ("INVALID_PARAMETER_VALUE", *_GONE):  # another value is there, or no run
                return False
            raise
        return True

    def _set_status(self, run_id: str, run: WantedRun) -> None:
        if run.status in _ENDED:
            self._client.set_terminated(run_id, run.status, run.end)
        else:
            self._client.update_run(run_id, run.status)

    def _search(self, query: str) -> Iterator[list[Run]]:
        """The pages of runs that a query finds."""
        token: str | None = None
        while True:
            page = self._client.search_runs(
                [self._experiment.id], query, max_results=PAGE, order_by=["start_time ASC"], page_token=token
            )
            self._beat()
            yield page
            token = page.token
            if not token:
                return


def _tags(run: WantedRun, run_ids: Mapping[str, str]) -> dict[str, str]:
    if run.parent is None:
        return run.tags
    return {**run.tags, MLFLOW_PARENT_RUN_ID: run_ids[run.parent]}


def _metrics(points: Sequence[Point]) -> list[Metric]:
    return [Metric(point.key, point.value, point.timestamp, point.step) for point in points]


def _params(run: WantedRun) -> list[Param]:
    return [Param(key, value) for key, value in run.params.items()]


def _stored_run(run: Run) -> StoredRun:
    tags = run.data.tags
    return StoredRun(
        run_id=run.info.run_id,
        identity=tags["automl.id"],
        uid=tags.get("automl.uid"),
        status=run.info.status,
        params=run.data.params,
        tags=tags,
        latest=run.data.metrics,
        rank=(
            int(tags.get("automl.uid") is None),
            int(run.info.status not in _ENDED),
            -len(run.data.metrics),
        ),
    )
