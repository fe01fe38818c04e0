"""Follows one campaign in the ledger and writes what is new into MLflow."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from automl.contracts import RunAddress, RunError, TrialState
from automl.ledger.batches import in_short
from automl.recorder.curves import Curves
from automl.recorder.machine import Machine
from automl.recorder.planner import Freshness
from automl.recorder.points import Point
from automl.recorder.projection import Projection, project
from automl.recorder.results import result_of
from automl.recorder.run_points import report_points
from automl.recorder.search_runs import every_trial, search_runs
from automl.recorder.wanted_run import Artifact, WantedRun
from automl.recorder.writer import form_of
from automl.recorder.writer_choice import open_writer

if TYPE_CHECKING:
    from automl.ledger.ledger import Ledger
    from automl.ledger.rows import SearchRow, TrialRow
    from automl.ledger.store import Store

LOOKED_UP = 5000  # trials to be recorded, of which only the names are in memory


class Follower:
    """Tracks what MLflow has of a campaign; keeps only running trials and one sum per search in memory.

    Continues where an earlier one stopped. Every method may be tried again after it has failed.
    """

    def __init__(self, store: Store, ledger: Ledger, campaign_id: str, *, with_trials: bool) -> None:
        self._ledger, self._campaign_id, self._with_trials = ledger, campaign_id, with_trials
        self._live: dict[str, float] = {}  # time of the last recorded report of running trials in MLflow
        self._curves = Curves()
        self._fresh = Freshness(store)
        self._projection: Projection | None = None  # for `begin`, which needs no newer one
        campaign = project(ledger, campaign_id)[0].campaign
        self._machine = Machine(campaign.created_at)
        self._token, self._writer = campaign.token, open_writer(store, campaign)
        try:
            self._form = form_of(self._writer, campaign)
            self._project = partial(project, ledger, campaign_id, self._form)
            self._restore(*self._project())
        except BaseException:
            self._writer.close()
            raise

    def catch_up(self, enough: Callable[[], bool] = lambda: False) -> None:
        """Record what is new in the ledger; stop early when `enough` becomes true."""
        projection, searches = self._project()
        # of what has files that could not be uploaded, which alone waits
        failed: dict[str, Exception] = self._record_parents(projection, searches)
        while not enough():
            due = self._ledger.unrecorded(self._campaign_id, LOOKED_UP + len(failed))
            due = [trial for trial in due if trial not in failed]
            for start in range(0, len(due), self._writer.batch):
                if enough():
                    break
                failed |= self._record(projection, due[start : start + self._writer.batch])
            if len(due) < LOOKED_UP:
                break  # trials that end now make a fuller batch the next time
        self._curves.write(projection, self._writer)
        self._record_live(projection)
        self._writer.append(self._machine.samples(projection.uid(self._campaign_id)))
        for error in failed.values():
            raise error

    def begin(self, trial: str) -> RunAddress:
        """Make the run of a trial that starts. Any thread may call it; what is written by then stays."""
        row = self._ledger.trial(trial)
        if row is None:
            raise RunError(f"a trial must be in the ledger to be recorded, but there is no {trial!r}")
        if self._projection is None or not self._projection.knows(row.search):
            self._projection, rows = self._project()
            new = [self._projection.search_run(row) for row in rows if row.recorded == 0]
            self._writer.create([self._projection.campaign_run(), *new])
        return self._writer.begin(self._projection.trial_run(row, []))

    def complete(self, enough: Callable[[], bool] = lambda: False) -> None:
        """Write searches and the campaign with the totals of their trials; nothing is noted after `enough`.

        Trials that MLflow had and has not any more are written again.
        """
        self._writer.settle()
        projection, searches = self._project()
        if self._with_trials:
            self._write_lost(projection, searches)
        self._write_whole(projection, searches, enough)
        if enough():
            return
        self._ledger.mark_searches_recorded({row.id: 2 for row in searches if row.state == "finished"})
        every, result = (
            every_trial(self._ledger, self._campaign_id),
            result_of(self._ledger, projection.campaign),
        )
        self._writer.write([projection.campaign_run(every, result)])
        if projection.campaign.state == "finished":
            self._ledger.mark_campaign_recorded(self._campaign_id, 2)

    def upload(self, identity: str, artifact: Artifact) -> None:
        """Upload an artifact to the run of an identity."""
        projection, _ = self._project()
        self._writer.upload(projection.uid(identity), [artifact])

    def suspend(self, enough: Callable[[], bool] = lambda: False) -> None:
        """Give runs that have not ended the status SCHEDULED, unless another driver has taken over.

        Then write the searches that have ended as a whole, or some of them when `enough` becomes true.
        """
        projection, searches = self._project(interrupted=True)
        if projection.campaign.token != self._token or projection.campaign.state == "finished":
            return
        running = self._ledger.running_trials(self._campaign_id) if self._with_trials else []
        self._write_unfinished(projection, searches, running)
        self._ledger.mark_recorded({trial.id: 1 for trial in running})
        self._write_whole(projection, [row for row in searches if row.state == "finished"], enough)

    def close(self) -> None:
        """Close MLflow's connections."""
        self._writer.close()

    def _restore(self, projection: Projection, searches: Sequence[SearchRow]) -> None:
        """Continue where an earlier recorder of this campaign stopped."""
        for search in searches:
            every = self._ledger.summaries(search.id)
            self._curves.restore(projection, (trial for trial in every if trial.recorded == 2))
        running = self._ledger.running_trials(self._campaign_id)
        self._write_unfinished(projection, searches, [trial for trial in running if trial.recorded])

    def _write_whole(
        self,
        projection: Projection,
        searches: Sequence[SearchRow],
        enough: Callable[[], bool] = lambda: False,
    ) -> None:
        """Write the runs of searches with the totals of their trials and openings."""
        failed: dict[str, Exception] = {}
        for runs in search_runs(self._ledger, projection, searches):
            if enough():
                return
            self._writer.write(runs)
            failed |= self._upload(runs)
        for error in failed.values():
            raise error

    def _write_unfinished(
        self, projection: Projection, searches: Sequence[SearchRow], trials: Sequence[TrialRow]
    ) -> None:
        """Write the runs of what has not ended with the status of the projection, RUNNING or SCHEDULED."""
        runs = [projection.search_run(row) for row in searches if row.recorded and row.state == "running"]
        if projection.campaign.recorded and projection.campaign.state == "running":
            runs.insert(0, projection.campaign_run())
        reports = self._ledger.reports(trials=[trial.id for trial in trials]) if trials else {}
        for trial in trials:
            self._live[trial.id] = max((report.at for report in reports.get(trial.id, [])), default=0.0)
            runs.append(projection.trial_run(trial, reports.get(trial.id, [])))
        self._writer.write(runs)

    def _record_parents(self, projection: Projection, searches: Sequence[SearchRow]) -> dict[str, Exception]:
        """Record what is new of the campaign and its searches; returns what could not be uploaded."""
        new = [search for search in searches if search.recorded == 0]
        runs = [projection.search_run(search) for search in new]
        if projection.campaign.recorded == 0:
            runs.insert(0, projection.campaign_run())
        self._writer.write(runs)
        self._ledger.mark_searches_recorded({search.id: 1 for search in new})
        if projection.campaign.recorded != 0:
            return {}
        failed = self._upload(runs[:1])
        if not failed:
            self._ledger.mark_campaign_recorded(self._campaign_id, 1)
        return failed

    def _upload(self, runs: Sequence[WantedRun]) -> dict[str, Exception]:
        """Upload the files of runs; returns the errors by identity, since one's must not delay the others."""
        failed: dict[str, Exception] = {}
        for run in runs:
            try:
                self._writer.upload(run.uid, run.artifacts)
            except Exception as error:  # whatever the artifact store has
                failed[run.identity] = error
        return failed

    def _write_lost(self, projection: Projection, searches: Sequence[SearchRow]) -> None:
        """Write again what MLflow had of this campaign before it was emptied or another store's."""
        known = {
            projection.uid(trial): trial for trial in self._ledger.trial_ids(self._campaign_id, recorded=1)
        }
        lost = [known[uid] for uid in sorted(self._writer.absent(list(known)))]
        if not lost:
            return
        text = "MLflow had %d runs of %s that it has not any more; they are written again"
        logging.getLogger(__name__).warning(text, len(lost), self._campaign_id)
        self._writer.write([projection.campaign_run(), *map(projection.search_run, searches)])
        for start in range(0, len(lost), self._writer.batch):
            for error in self._record(projection, lost[start : start + self._writer.batch]).values():
                raise error
        if still := self._writer.absent([projection.uid(trial) for trial in lost]):
            raise RunError(f"it keeps nothing of what it is sent: {len(still)} runs are missing")

    def _record(self, projection: Projection, trials: Sequence[str]) -> dict[str, Exception]:
        """Record trials that are new or have ended; returns those whose files could not be uploaded."""
        rows = self._ledger.trials_named(trials)
        recorded = {row.id: 1 if row.state is TrialState.RUNNING else 2 for row in rows}
        failed: dict[str, Exception] = {}
        if self._with_trials:
            reports = self._ledger.reports(trials=list(recorded))
            runs = [projection.trial_run(row, reports.get(row.id, [])) for row in rows]
            self._writer.write(runs)
            failed = self._upload(runs)
            for identity in failed:
                del recorded[identity]
            for row in rows:
                if row.state is TrialState.RUNNING:
                    self._live[row.id] = max((report.at for report in reports.get(row.id, [])), default=0.0)
        self._ledger.mark_recorded(recorded)
        self._fresh.note(len(recorded))
        for row in rows:
            if recorded.get(row.id) == 2:
                self._live.pop(row.id, None)
                self._curves.note(in_short(row))
        return failed

    def _record_live(self, projection: Projection) -> None:
        """Add the newest reports of running trials."""
        if not self._live:
            return
        points: dict[str, list[Point]] = {}
        latest: dict[str, float] = {}
        for trial, reports in self._ledger.reports(trials=list(self._live)).items():
            new = [report for report in reports if report.at > self._live[trial]]
            if new:
                points[projection.uid(trial)] = report_points(projection.metrics[0], new)
                latest[trial] = max(report.at for report in new)
        self._writer.append(points)
        self._live |= latest
