"""One pool of jobs over all searches of a campaign: the search that has spent the least goes first."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from automl.campaign.allowance import Left
from automl.campaign.dividing import Division, open_jobs
from automl.campaign.lease import Lease
from automl.campaign.limits import CampaignLimits
from automl.campaign.outlook import least_left
from automl.campaign.search import Search
from automl.campaign.slots import Slots
from automl.contracts import Direction, Ending, Held, Job, Outcome, Report, Room
from automl.ledger import Wishes
from automl.progress import CampaignStatus, Progress, SearchStatus
from automl.progress.estimate import Estimate

SOON = 1e-3  # seconds
FIRST_PART = 1 / 3  # of what is left that a first value may take, where a reserve is for what follows it
SHOW_EVERY = 0.25  # seconds between two updates of the live progress


class Asks(Protocol):
    """What users ask of the campaign; another thread may change it."""

    @property
    def wishes(self) -> Wishes:
        """What holds now."""

    @property
    def paused(self) -> bool:
        """Whether nothing new may start for now."""


@dataclass(frozen=True)
class Nobody:
    """Nobody asks for anything."""

    wishes: Wishes = field(default_factory=Wishes)
    paused: bool = False


NOBODY: Final = Nobody()


class Pool:
    """The `JobSource` of a campaign. `slots`: in which its trials run."""

    def __init__(
        self,
        searches: Sequence[Search],
        lease: Lease,
        progress: Progress,
        limits: CampaignLimits,
        slots: Slots,
        control: Asks = NOBODY,
    ) -> None:
        self.searches, self.lease, self.progress = searches, lease, progress
        self.limits, self.slots, self.control = limits, slots, control
        self._by_id = {search.row.id: search for search in searches}
        self._owner: dict[str, Search] = {}
        self._after: set[str] = set()  # those that follow their searches
        self._division = Division()
        self._shown, self._estimate = 0.0, Estimate()

    def next_job(self, held: Held | None = None) -> Job | None:
        """The next job: trials first, so that all arms meet the same noise; then what follows.

        `held`: of those searches alone whose trials hold that.
        """
        self.lease.check()
        self._show()
        if self.limits.bounded and not self.finished and (reason := self.limits.reached()) is not None:
            self.limits.met = reason
            for search in self.searches:
                search.stop(reason)
            return None
        self._obey()
        self._leave_time()
        if self.control.paused or not self.slots.free:
            self.slots.ready = not self.control.paused and any(search.ready for search in self.searches)
            return None
        mine = [search for search in self.searches if held is None or search.settings.held == held]
        job = self._next_job(mine, self.slots.bound if held is None else self._division.numbers.get(held, 0))
        self.slots.ready = job is not None or any(s.ready for s in self.searches if s not in mine)
        return job

    def _obey(self) -> None:
        """End searches, and trials that wait to be tried again, as users have asked."""
        for target, request in self.control.wishes.stops.items():
            if target in self._by_id:
                self._by_id[target].end(request.words)
            elif (search := self._by_id.get(target.rpartition("/")[0])) is not None:
                search.drop(target, request.words)

    def _leave_time(self) -> None:
        """End the searches when what is left is for their winners, where the limits say so.

        Or when less is left than a trial takes: a worker that is killed has to start again, if none waits.
        """
        if not self.limits.limits.reserve:
            return
        left = self.limits.for_trials()
        if left.seconds <= least_left(self.searches, self.limits.pace.restart()):
            for search in self.searches:
                search.end(left.reason)

    def _next_final(self, search: Search) -> Job | None:
        """The next job that follows `search`; nothing does where a better one leaves no time for it."""
        best = self.limits.in_turn(self.searches)[0]
        if self.limits.limits.reserve and search.outlook.missing and search is not best:
            left = self.limits.for_retraining(search)
            if left.seconds < search.outlook.fit:
                search.stop(left.reason)
                return None
        return search.propose_final()

    def _next_job(self, searches: Sequence[Search], at_once: int) -> Job | None:
        running = sum(search.runs for search in searches)
        for search in sorted(searches, key=lambda search: search.pressure):
            if search.settings.wall_seconds is not None and not search.runs and running >= at_once:
                continue  # its clock would run while it waits for workers
            if (job := search.propose()) is not None:
                return self._note(job, search)
        for search in self.limits.in_turn(searches):
            if (job := self._next_final(search)) is not None:
                self._after.add(job.trial)
                return self._note(job, search)
        return None

    @property
    def finished(self) -> bool:
        """No job is open and none will come."""
        done = all(search.idle for search in self.searches)
        if done:
            self._show(force=True)
        return done

    @property
    def share(self) -> int | None:
        """How many jobs may be open now; None for no bound."""
        return self.slots.share

    @property
    def learns(self) -> bool:
        """Whether the proposals of a search depend on how earlier trials have ended."""
        return any(search.settings.learns for search in self.searches)

    def divide(self, rooms: Sequence[Room], most: int | None, turn: float) -> Mapping[Held, int]:
        """How many jobs of each size shall be open in `rooms` now, at most `most` together."""
        return self._division.divide(self.searches, open_jobs(self._owner), rooms, most, turn)

    def report(self, trial: str, token: str, report: Report) -> str | None:
        """Take a report; a reason ends the trial."""
        self._show()
        reason = self._owner[trial].report(trial, token, report) or self._asked(trial) or None
        left = self._left(trial)
        if reason is not None or left.seconds > 0:
            return reason
        self._meet()
        return left.reason

    def _meet(self) -> None:
        """Note a limit that is reached; what is left for winners alone does not end the campaign."""
        if (left := self.limits.left()).seconds <= SOON:
            self.limits.met = left.reason

    def _left(self, trial: str) -> Left:
        """Wall seconds that the limits of the campaign leave to an open job."""
        if trial not in self._after:
            return self.limits.for_trials()
        return self.limits.for_retraining(self._owner[trial])

    def time_left(self, trial: str, token: str, elapsed: float) -> float:
        """Wall seconds that an attempt may go on after `elapsed` device-seconds."""
        search = self._owner[trial]
        seconds, left = search.time_left(trial, token, elapsed), self._left(trial)
        if left.seconds <= min(seconds, SOON):
            search.cut(trial, token, left.reason)
            self._meet()
        elif asked := self._asked(trial):
            search.cut(trial, token, asked)
            return 0.0
        return min(seconds, left.seconds)

    def _asked(self, trial: str) -> str:
        """Why a user has ended an open trial; "" when nobody has. A search keeps what follows it."""
        search = self._owner[trial].row.id
        return self.control.wishes.reason(*([trial] if trial in self._after else [trial, search]))

    def finish(self, trial: str, token: str, outcome: Outcome) -> None:
        """Take the end of an attempt."""
        if outcome.late:
            self.time_left(trial, token, outcome.device_seconds)  # notes what it was ended by
        self._owner.pop(trial).finish(trial, token, outcome)
        self.slots.hold(len(self._owner))

    def lost(
        self, trial: str, token: str, reason: str, ending: Ending = Ending.LOST, used: float | None = None
    ) -> None:
        """The attempt's worker died."""
        self._owner.pop(trial).lost(trial, token, reason, ending, used)
        self.slots.hold(len(self._owner))

    def tell(self, text: str) -> None:
        """Show a line about where trials run."""
        self.progress.message(text)

    def _note(self, job: Job, search: Search) -> Job:
        self._owner[job.trial] = search
        self.slots.hold(len(self._owner))
        if not self.limits.bounded:
            return job
        left = self._left(job.trial).seconds
        own = math.inf if job.remaining is None else job.remaining  # 0 is nothing, not any amount
        part = FIRST_PART if self.limits.limits.reserve and job.needs_value else 1.0
        after = self.limits.for_combining(search) if job.candidates else math.inf
        rest = min((after if job.trial in self._after else part * left) * job.devices, own)
        remaining = rest if math.isfinite(rest) else None
        return replace(job, deadline=min(job.deadline, left), remaining=remaining)

    def _show(self, force: bool = False) -> None:
        now = time.monotonic()
        if force or now - self._shown > SHOW_EVERY:
            self._shown = now
            status = self._status([self._shown_as(search.status()) for search in self.searches])
            self.slots.ends_in = self._estimate.about(status)
            self.progress.update(status)

    def _shown_as(self, one: SearchStatus) -> SearchStatus:
        state = "paused" if self.control.paused else "waiting" if self.slots.queued else one.state
        return one if one.state == "finished" else replace(one, state=state)

    def _status(self, found: Sequence[SearchStatus]) -> CampaignStatus:
        first = self.searches[0] if self.searches else None
        metric = None if first is None else first.settings.metrics[0]
        clock, wall = self.limits.clock.now(), self.limits.limits.wall_seconds
        return CampaignStatus(
            campaign="" if first is None else first.row.campaign,
            searches=tuple(found),
            elapsed=clock,
            metric="" if metric is None else metric.name,
            maximize=metric is None or metric.direction is Direction.MAXIMIZE,
            limit=None if wall is None else max(0.0, wall - clock),
        )
