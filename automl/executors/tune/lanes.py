"""All lanes of a run: jobs are asked of the campaign and handed to them, what they tell goes back to it.

The cost of an event does not depend on the number of trials: only `look` goes through all, some times a second.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from automl.contracts import Ending, Job, JobSource, Outcome, Report, TrialState
from automl.executors.tune.lane import SHORT, Handed, Lane
from automl.executors.tune.slots import Slots

ENDS: Final = 30.0  # seconds that the code of a trial that was ended at a report may take to return
NOTICE: Final = 10.0  # seconds until a trial is handed back whose machine is taken away; before, at its next report
SAVES: Final = 1.0  # seconds for the checkpoint that follows a report


class Lanes:
    """Between the campaign and the workers. `finished`: the campaign wants nothing more."""

    def __init__(self, source: JobSource, slots: Slots) -> None:
        self.source, self.slots = source, slots
        self.by_name: dict[str, Lane] = {}
        self.waiting: deque[Handed] = deque()  # jobs that no lane has
        self.finished = False
        self.ended = 0  # trials of this run
        self._open: dict[int, tuple[Handed, Lane | None]] = {}  # by number
        self._asked = 0  # jobs so far
        self._idle: dict[str, Lane] = {}  # up, with nothing to do
        self._alone: set[str] = set()  # trials that may have ended their workers: nothing waits beside them

    # --- lanes ----------------------------------------------------------------------------------

    def opened(self, name: str) -> None:
        """A lane is asked for."""
        self.by_name[name] = Lane(name)

    def started(self, name: str, handle: Any) -> None:
        """Its worker is up."""
        lane = self.by_name[name]
        lane.handle = handle
        self.serve(lane)

    def close(self, lane: Lane) -> None:
        """Let a lane end that has no job."""
        lane.close()
        self._idle.pop(lane.name, None)

    def gone(self, name: str) -> None:
        """It has ended."""
        self.by_name.pop(name, None)
        self._idle.pop(name, None)

    def died(self, name: str, reason: str, ending: Ending) -> None:
        """Its worker died: what it held goes back."""
        lane = self.by_name[name]
        self.gone(name)
        mine, held = lane.killed or lane.leaves_at is not None, list(lane.jobs)
        unclear = not mine and ending is not Ending.PREEMPTED and len(held) > 1
        for handed in held:
            job, known = handed.job, handed.clock
            if unclear:  # who has ended it: the first one, or one that has begun since it was last heard of?
                self._alone.add(job.trial)
            if self._open.pop(handed.number, None) is None:
                continue  # the campaign knows its end
            if handed.late is not None:
                self.source.finish(job.trial, job.token, job.late(handed.late))
            elif known is None:
                self.source.lost(job.trial, job.token, reason, Ending.PREEMPTED, 0.0)
            elif mine or unclear or ending is Ending.PREEMPTED:  # its death was noticed late
                self.source.lost(job.trial, job.token, reason, Ending.PREEMPTED, known.last_sign)
            else:
                self.source.lost(job.trial, job.token, reason, ending)

    def lose(self, reason: str, died_at: float) -> None:
        """Every open trial goes back to the campaign: the cluster was gone at a monotonic second."""
        lost, self._open = self._open, {}
        for handed, _ in lost.values():
            job = handed.job
            self.source.lost(job.trial, job.token, reason, Ending.PREEMPTED, handed.used_at(died_at))

    def forget(self) -> None:
        """Drop all actors: those handles must be gone before Ray is."""
        for lane in self.by_name.values():
            lane.handle = None

    # --- jobs -----------------------------------------------------------------------------------

    def serve(self, lane: Lane) -> None:
        """Hand jobs to a lane as far as it takes some, send what there is, then hand to idle ones."""
        self._fill(lane)
        if not lane.jobs and (self.finished or len(self.by_name) > self.slots.lanes):
            self.close(lane)
        lane.send()
        while self._idle and not self.finished:
            name, other = next(iter(self._idle.items()))
            self._idle.pop(name)
            self._fill(other)
            other.send()
            if not other.jobs:
                break

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

    # --- messages -------------------------------------------------------------------------------

    def told(self, name: str, messages: Iterable[dict[str, Any]]) -> None:
        """Take what a worker tells."""
        lane = self.by_name[name]
        for message in messages:
            self._take(lane, message)
        self.serve(lane)

    def _take(self, lane: Lane, message: dict[str, Any]) -> None:
        if "turn" in message:
            lane.pace.turned(message["turn"])
        elif "leaves" in message:
            lane.leaves_at = time.monotonic()
        else:
            handed = next(held for held in lane.jobs if held.number == message["of"])
            if "report" in message:
                self._report(lane, handed, Report(**message["report"]))
            elif "outcome" in message:
                self._outcome(lane, handed, message)
            elif "returned" in message:
                self._returned(lane, handed)
            elif handed.clock is not None:
                handed.clock.told(message["elapsed"])

    def _report(self, lane: Lane, handed: Handed, report: Report) -> None:
        job, known = handed.job, handed.clock
        reason: str | None = "ended"
        if handed.number in self._open:
            if known is not None:
                known.told(report.device_seconds)
            reason = self.source.report(job.trial, job.token, report)
            if reason is not None:
                pruned = Outcome(TrialState.PRUNED, report.device_seconds, reason=reason)
                self._finish(handed, pruned)
                handed.told_at = time.monotonic()
        lane.answer(handed, goes_on=reason is None)
        if lane.leaves_at is not None:  # its checkpoint follows
            lane.leaves_at = min(lane.leaves_at, time.monotonic() + SAVES - NOTICE)

    def _outcome(self, lane: Lane, handed: Handed, message: dict[str, Any]) -> None:
        lane.pace.took(message["seconds"])
        lane.remove(handed)
        self.ended += 1
        if handed.number in self._open:
            self._finish(handed, Outcome.from_json(message["outcome"]))

    def _returned(self, lane: Lane, handed: Handed) -> None:
        lane.remove(handed)
        if handed.late is not None:
            self._finish(handed, handed.job.late(0.0))
        elif handed.number in self._open:
            again = replace(handed, clock=None, asked_back=False)
            self._open[handed.number] = again, None
            self.waiting.appendleft(again)

    def _finish(self, handed: Handed, outcome: Outcome) -> None:
        """Tell the campaign the end of a job, once."""
        if self._open.pop(handed.number, None) is not None:
            self.source.finish(handed.job.trial, handed.job.token, outcome)

    # --- time -----------------------------------------------------------------------------------

    def look(self) -> None:
        """End what has no time left, ask for jobs that wait behind long trials, hand out what waits."""
        now = time.monotonic()
        if not self.waiting and len(self._open) < self.slots.count and not self._idle and not self.finished:
            self._ask()  # while workers start, too
        for handed, lane in list(self._open.values()):
            self._look_at(handed, lane)
        more = len(self.by_name) - self.slots.lanes  # than the cluster has room for by now
        for lane in list(self.by_name.values()):
            self._look_after(lane, now)
            if lane.handle is None and (more > 0 or self.finished):
                more -= 1
                self.close(lane)
            lane.send()
        if self._idle:
            self.serve(next(iter(self._idle.values())))

    def _look_at(self, handed: Handed, lane: Lane | None) -> None:
        job, known = handed.job, handed.clock
        elapsed = 0.0 if known is None else known.elapsed * job.devices
        left = self.source.time_left(job.trial, job.token, elapsed)
        if left > 0 and not (known is not None and known.loads_too_long):
            return
        if handed.late is None:
            handed.late = elapsed
        if lane is None:
            self.waiting.remove(handed)
            self._finish(handed, job.late(0.0))
        elif known is None:
            lane.ask_back(handed)
        elif not lane.killed:
            lane.kill()

    def _look_after(self, lane: Lane, now: float) -> None:
        head = lane.head
        if head is None or lane.killed:
            return
        ended = head.told_at is not None and now - head.told_at > ENDS
        if ended or (lane.leaves_at is not None and now - lane.leaves_at > NOTICE):
            lane.kill()
        elif head.clock is not None and (self._idle or head.clock.held > SHORT):
            for handed in list(lane.jobs)[1:]:
                lane.ask_back(handed)

    def unplaced(self) -> Iterator[Job]:
        """The jobs that wait while lanes start, or wait for a node."""
        if any(lane.handle is None for lane in self.by_name.values()):
            yield from (handed.job for handed in self.waiting)
