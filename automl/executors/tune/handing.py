"""Jobs are asked of the campaign and handed to lanes that have room."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from automl.contracts import Job, JobSource, Outcome
from automl.executors.tune.lane import Handed, Lane

if TYPE_CHECKING:
    from automl.executors.tune.slots import Slots

SETTLES: Final = 5.0  # seconds in which lanes that are too many may be those of a node that died


class Handing:
    """Lanes, and the jobs in them. `finished`: the campaign wants nothing more."""

    def __init__(self, source: JobSource, slots: Slots) -> None:
        self.source, self.slots = source, slots
        self.by_name: dict[str, Lane] = {}
        self.waiting: deque[Handed] = deque()  # jobs that no lane has
        self.finished = False
        self.ended = 0  # trials of this run
        self._open: dict[int, tuple[Handed, Lane | None]] = {}  # by number
        self._fits_at = time.monotonic()  # when there were last no more lanes than slots
        self._asked = 0  # jobs so far
        self._idle: dict[str, Lane] = {}  # up, with nothing to do
        self._closing: set[str] = set()
        self._alone: set[str] = set()  # trials that may have ended their workers: nothing waits beside them

    # --- lanes ----------------------------------------------------------------------------------

    @property
    def wanted(self) -> int:
        """How many lanes there shall be: those of other campaigns need slots, too."""
        share = self.source.share
        return self.slots.lanes if share is None else min(self.slots.lanes, share)

    def opened(self, name: str) -> None:
        """A lane is asked for."""
        self.by_name[name] = Lane(name)
        self.slots.hold(len(self.by_name))

    def started(self, name: str, handle: Any) -> None:
        """Its worker is up."""
        lane = self.by_name[name]
        lane.handle = handle
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
        self.slots.hold(len(self.by_name))

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
        while self._idle and not self.finished:
            name, other = next(iter(self._idle.items()))
            self._idle.pop(name)
            self._tend(other)
            other.send()
            if not other.jobs:
                break
        self._tend(lane)
        lane.send()

    def _tend(self, lane: Lane) -> None:
        """Hand jobs to a lane, or let it end: one too many ends once its jobs have."""
        surplus = self._surplus(SETTLES) > 0
        if not lane.jobs and (self.finished or surplus):
            self.close(lane)
        elif not surplus:
            self._fill(lane)

    def _surplus(self, settled: float) -> int:
        """How many lanes are beyond the share; or beyond the slots, once it has been so for some seconds."""
        there = len(self.by_name) - len(self._closing)
        if there > self.wanted < self.slots.lanes:
            return there - self.wanted
        more = there - self.slots.lanes
        if more <= 0:
            self._fits_at = time.monotonic()
        return more if time.monotonic() - self._fits_at >= settled else 0

    def _fill(self, lane: Lane) -> None:
        for _ in range(lane.room(ahead=self.slots.count > 1)):
            if (handed := self._next(lane)) is None:
                break
            self._open[handed.number] = handed, lane
            lane.add(handed)
        if lane.open and not lane.jobs:
            self._idle[lane.name] = lane
        else:
            self._idle.pop(lane.name, None)

    def _next(self, lane: Lane) -> Handed | None:
        """The next job for a lane."""
        if any(held.job.trial in self._alone for held in lane.jobs) or self.finished:
            return None
        if not self.waiting and not self._ask():
            return None
        if lane.jobs and self.waiting[0].job.trial in self._alone:
            return None
        return self.waiting.popleft()

    def _ask(self) -> bool:
        """Ask the campaign for a job, which then waits; closes all lanes when there will be none."""
        job = self.source.next_job()
        if job is None:
            if not self._open and self.source.finished:
                self.finished = True
                for lane in self.by_name.values():
                    if not lane.jobs:  # in others the code of a trial still ends
                        self.close(lane)
                        lane.send()
            return False
        self._asked += 1
        self._open[self._asked] = (handed := Handed(self._asked, job)), None
        self.waiting.append(handed)
        return True

    def _finish(self, handed: Handed, outcome: Outcome) -> None:
        """Tell the campaign the end of a job, once."""
        if self._open.pop(handed.number, None) is not None:
            self.source.finish(handed.job.trial, handed.job.token, outcome)
