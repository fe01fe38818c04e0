"""Jobs are asked of the campaign and handed to lanes that have room."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from automl.contracts import Held, Job, JobSource, Outcome
from automl.executors.tune.dividing import SETTLES, Place, plan_of
from automl.executors.tune.lane import AHEAD, UNKNOWN, Handed, Lane
from automl.executors.tune.starts import Starts

if TYPE_CHECKING:
    from automl.executors.tune.slots import Slots


class Handing:
    """Lanes, and the jobs in them. `finished`: the campaign wants nothing more."""

    def __init__(self, source: JobSource, slots: Slots, turn: float = 0.0) -> None:
        self.source, self.slots = source, slots
        self.by_name: dict[str, Lane] = {}
        self.waiting: deque[Handed] = deque()  # jobs that no lane has
        self.finished = False
        self.alike = len(slots.sizes) == 1  # all jobs hold the same
        self.ended = 0  # trials of this run
        self._open: dict[int, tuple[Handed, Lane | None]] = {}  # by number
        self._asked = 0  # jobs so far
        self._idle: dict[str, Lane] = {}  # up, with nothing to do
        self._closing: set[str] = set()
        self._starts = Starts()
        self.plan = plan_of(source, slots, self.by_name, self._closing, turn)
        self._alone: set[str] = set()  # trials that may have ended their workers: nothing waits beside them

    # --- lanes ----------------------------------------------------------------------------------

    def opened(self, name: str, place: Place) -> None:
        """A lane is asked for."""
        self.by_name[name] = Lane(name, place.held, place.node)
        self.slots.hold(self.plan.units())

    def started(self, name: str, handle: Any) -> None:
        """Its worker is up."""
        lane = self.by_name[name]
        lane.handle = handle
        self._starts.worked()
        self.serve(lane)

    def close(self, lane: Lane) -> None:
        """Let a lane end that has no job."""
        lane.close()
        self._closing.add(lane.name)
        self._idle.pop(lane.name, None)

    def gone(self, name: str) -> None:
        """It has ended."""
        self.by_name.pop(name, None)
        self._idle.pop(name, None)
        self._closing.discard(name)
        self.slots.hold(self.plan.units())

    def forget(self) -> None:
        """Drop all actors: those handles must be gone before Ray is."""
        for lane in self.by_name.values():
            lane.handle = None

    def unplaced(self) -> Iterator[Job]:
        """The jobs that wait while lanes start, or wait for a node."""
        if any(lane.handle is None for lane in self.by_name.values()):
            yield from (handed.job for handed in self.waiting)

    # --- jobs -----------------------------------------------------------------------------------

    def serve(self, lane: Lane) -> None:
        """Hand jobs to idle lanes, then to this one as far as it takes some, and send what there is."""
        nothing: set[Held] = set()  # is there for them
        for other in list(self._idle.values()):
            if self.finished or len(nothing) == len(self.slots.sizes):
                break
            if other.held in nothing:
                continue
            self._tend(other)
            other.send()
            if not other.jobs:
                nothing.add(other.held)
        self._tend(lane)
        lane.send()

    def _tend(self, lane: Lane) -> None:
        """Hand jobs to a lane, or let it end: one too many ends once its jobs have."""
        surplus = self.plan.leaves(lane, SETTLES)
        if not lane.jobs and (self.finished or surplus):
            self.close(lane)
        elif not surplus:
            self._fill(lane)

    def _fill(self, lane: Lane) -> None:
        for _ in range(lane.room(self._ahead())):
            if (handed := self._next(lane)) is None:
                break
            self._open[handed.number] = handed, lane
            lane.add(handed)
        if lane.open and not lane.jobs:
            self._idle[lane.name] = lane
        else:
            self._idle.pop(lane.name, None)

    def _ahead(self) -> int:
        """How many jobs may wait in a lane."""
        count = self.slots.count
        if count <= 1:
            return 0
        return max(1, self.ended // (UNKNOWN * count)) if self.source.learns else AHEAD

    def _next(self, lane: Lane) -> Handed | None:
        """The next job for a lane."""
        if any(held.job.trial in self._alone for held in lane.jobs) or self.finished:
            return None
        handed = self.waits_for(lane.held) or self._ask(lane.held)
        if handed is None or (lane.jobs and handed.job.trial in self._alone):
            return None
        self.waiting.remove(handed)
        return handed

    def waits_for(self, held: Held) -> Handed | None:
        """The first waiting job of that size."""
        if self.alike:
            return self.waiting[0] if self.waiting else None
        return next((handed for handed in self.waiting if handed.job.held == held), None)

    def _ask(self, held: Held) -> Handed | None:
        """Ask the campaign for a job, which then waits; closes all lanes when there will be none."""
        job = self.source.next_job() if self.alike else self.source.next_job(held)
        if job is None:
            if not self._open and self.source.finished:
                self.finished = True
                for lane in self.by_name.values():
                    if not lane.jobs:  # in others the code of a trial still ends
                        self.close(lane)
                        lane.send()
            return None
        self._asked += 1
        self._open[self._asked] = (handed := Handed(self._asked, job)), None
        self.waiting.append(handed)
        return handed

    def _finish(self, handed: Handed, outcome: Outcome) -> None:
        """Tell the campaign the end of a job, once."""
        if self._open.pop(handed.number, None) is not None:
            self.source.finish(handed.job.trial, handed.job.token, outcome)
