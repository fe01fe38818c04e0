"""One pool of jobs over all searches of a campaign: the search that has spent the least goes first."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace

from automl.campaign.lease import Lease
from automl.campaign.limits import CampaignLimits
from automl.campaign.search import Search
from automl.contracts import Ending, Job, Outcome, Report
from automl.progress import Progress

SOON = 1e-3  # seconds
SHOW_EVERY = 0.25  # seconds between two updates of the live progress


class Pool:
    """The `JobSource` of a campaign. `slots`: trials that run at a time."""

    def __init__(
        self, searches: Sequence[Search], lease: Lease, progress: Progress, limits: CampaignLimits, slots: int
    ) -> None:
        self.searches, self.lease, self.progress = searches, lease, progress
        self.limits, self.slots = limits, slots
        self._owner: dict[str, Search] = {}
        self._shown = 0.0

    def next_job(self) -> Job | None:
        """The next job: trials first, so that all arms meet the same noise; then retrainings."""
        self.lease.check()
        self._show()
        if self.limits.bounded and not self.finished and (reason := self.limits.reached()) is not None:
            self.limits.met = reason
            for search in self.searches:
                search.stop(reason)
            return None
        running = sum(search.runs for search in self.searches)
        for search in sorted(self.searches, key=lambda search: search.pressure):
            if search.settings.wall_seconds is not None and not search.runs and running >= self.slots:
                continue  # its clock would run while it waits for workers
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
        reason = self._owner[trial].report(trial, token, report)
        left = self.limits.left()
        if reason is not None or left.seconds > 0:
            return reason
        self.limits.met = left.reason
        return left.reason

    def time_left(self, trial: str, token: str, elapsed: float) -> float:
        """Wall seconds that an attempt may go on after `elapsed` device-seconds."""
        search = self._owner[trial]
        seconds, left = search.time_left(trial, token, elapsed), self.limits.left()
        if left.seconds <= min(seconds, SOON):
            search.cut(trial, token, left.reason)
            self.limits.met = left.reason
        return min(seconds, left.seconds)

    def finish(self, trial: str, token: str, outcome: Outcome) -> None:
        """Take the end of an attempt."""
        if outcome.late:
            self.time_left(trial, token, outcome.device_seconds)  # notes what it was ended by
        self._owner.pop(trial).finish(trial, token, outcome)

    def lost(
        self, trial: str, token: str, reason: str, ending: Ending = Ending.LOST, used: float | None = None
    ) -> None:
        """The attempt's worker died."""
        self._owner.pop(trial).lost(trial, token, reason, ending, used)

    def tell(self, text: str) -> None:
        """Show a line about where trials run."""
        self.progress.message(text)

    def _note(self, job: Job, search: Search) -> Job:
        self._owner[job.trial] = search
        if not self.limits.bounded:
            return job
        left = self.limits.left().seconds
        own = math.inf if job.remaining is None else job.remaining  # 0 is nothing, not any amount
        remaining = None if job.final else min(left * job.devices, own)
        remaining = remaining if remaining is None or math.isfinite(remaining) else None
        return replace(job, deadline=min(job.deadline, left), remaining=remaining)

    def _show(self, force: bool = False) -> None:
        now = time.monotonic()
        if force or now - self._shown > SHOW_EVERY:
            self._shown = now
            self.progress.update([search.status() for search in self.searches])
