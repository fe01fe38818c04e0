"""One pool of jobs over all searches of a campaign: the search that has spent the least goes first."""

from __future__ import annotations

import time
from collections.abc import Sequence

from automl.campaign.lease import Lease
from automl.campaign.search import Search
from automl.contracts import Job, Outcome, Report
from automl.progress import Progress

SHOW_EVERY = 0.25  # seconds between two updates of the live progress


class Pool:
    """The `JobSource` of a campaign."""

    def __init__(self, searches: Sequence[Search], lease: Lease, progress: Progress) -> None:
        self.searches, self.lease, self.progress = searches, lease, progress
        self._owner: dict[str, Search] = {}
        self._shown = 0.0

    def next_job(self) -> Job | None:
        """The next job: trials first, so that all arms meet the same noise; then retrainings."""
        self.lease.check()
        self._show()
        for search in sorted(self.searches, key=lambda search: search.pressure):
            job = search.propose()
            if job is not None:
                return self._note(job, search)
        for search in self.searches:
            job = search.propose_final()
            if job is not None:
                return self._note(job, search)
        return None

    @property
    def finished(self) -> bool:
        """No job is open and none will come."""
        done = all(search.idle for search in self.searches)
        if done:
            self._show(force=True)
        return done

    def report(self, trial: str, token: str, report: Report) -> str | None:
        """Take a report; a reason ends the trial."""
        self._show()
        return self._owner[trial].report(trial, token, report)

    def time_left(self, trial: str, token: str, elapsed: float) -> float:
        """Wall seconds that an attempt may go on after `elapsed` device-seconds."""
        return self._owner[trial].time_left(trial, token, elapsed)

    def finish(self, trial: str, token: str, outcome: Outcome) -> None:
        """Take the end of an attempt."""
        self._owner.pop(trial).finish(trial, token, outcome)

    def lost(self, trial: str, token: str, reason: str) -> None:
        """The attempt's worker died."""
        self._owner.pop(trial).lost(trial, token, reason)

    def _note(self, job: Job, search: Search) -> Job:
        self._owner[job.trial] = search
        return job

    def _show(self, force: bool = False) -> None:
        now = time.monotonic()
        if force or now - self._shown > SHOW_EVERY:
            self._shown = now
            self.progress.update([search.status() for search in self.searches])
