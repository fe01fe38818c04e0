"""What workers tell goes back to the campaign: reports, outcomes, deaths; and what time brings.

The cost of an event does not depend on the number of trials: only `look` goes through all.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from automl.contracts import Ending, Outcome, Report, TrialState
from automl.executors.tune.handing import Handing
from automl.executors.tune.lane import SHORT, Handed, Lane

ENDS: Final = 30.0  # seconds that the code of a trial that was ended at a report may take to return
NOTICE: Final = (
    10.0  # seconds until a trial is handed back whose machine is taken away; before, at its next report
)
SAVES: Final = 1.0  # seconds for the checkpoint that follows a report


class Lanes(Handing):
    """Between the campaign and the workers."""

    def died(self, name: str, reason: str, ending: Ending) -> None:
        """Its worker died: what it held goes back."""
        if (lane := self.by_name.get(name)) is None:
            return
        self.gone(name)
        if lane.handle is None and not lane.closing:
            self._starts.failed(reason, self.source.tell)
        mine, held = lane.doomed or lane.leaves_at is not None, list(lane.jobs)
        unclear = not mine and ending is not Ending.PREEMPTED and len(held) > 1
        for handed in held:
            job, known = handed.job, handed.clock
            if unclear:  # who has ended it: the first one, or one that has begun since it was last heard of?
                self._alone.add(job.trial)
            if self._open.pop(handed.number, None) is None:
                continue  # the campaign knows its end
            if handed.late is not None:
                late = replace(job.late(handed.late), host=handed.host, device=handed.device)
                self.source.finish(job.trial, job.token, late)
            elif known is None or mine or unclear or ending is Ending.PREEMPTED:  # noticed late
                self.source.lost(job.trial, job.token, reason, Ending.PREEMPTED, handed.last_sign)
            else:
                used = None if handed.noted is None else handed.last_sign
                self.source.lost(job.trial, job.token, reason, ending, used)

    def lose(self, reason: str, died_at: float) -> None:
        """Every open trial goes back to the campaign: the cluster was gone at a monotonic second."""
        lost, self._open = self._open, {}
        for handed, _ in lost.values():
            job = handed.job
            self.source.lost(job.trial, job.token, reason, Ending.PREEMPTED, handed.used_at(died_at))

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
            if "host" in message:
                handed.host, handed.device = message["host"], message["device"]
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
                pruned = replace(pruned, host=handed.host, device=handed.device)
                self._finish(handed, pruned)
                handed.told_at = time.monotonic()
        lane.answer(handed, goes_on=reason is None)
        if lane.leaves_at is not None:  # its checkpoint follows
            lane.leaves_at = min(lane.leaves_at, time.monotonic() + SAVES - NOTICE)

    def _outcome(self, lane: Lane, handed: Handed, message: dict[str, Any]) -> None:
        lane.pace.took(message["seconds"])
        lane.remove(handed)
        self.ended += 1
        if handed.number not in self._open:
            return
        outcome = Outcome.from_json(message["outcome"])
        if why := self.slots.fault(outcome):  # that of its node, which gets no more trials
            lane.doomed = True
            del self._open[handed.number]
            self.source.lost(handed.job.trial, handed.job.token, why, Ending.PREEMPTED, 0.0)
        else:
            self._finish(handed, outcome)

    def _returned(self, lane: Lane, handed: Handed) -> None:
        lane.remove(handed)
        if handed.late is not None:
            self._finish(handed, handed.job.late(0.0))
        elif handed.number in self._open:
            again = replace(handed, clock=None, asked_back=False)
            self._open[handed.number] = again, None
            self.waiting.appendleft(again)

    # --- time -----------------------------------------------------------------------------------

    def look(self) -> None:
        """End what has no time left, ask for jobs that wait behind long trials, hand out what waits."""
        now = time.monotonic()
        self.plan.look()
        self._ask_ahead()
        for handed, lane in list(self._open.values()):
            self._look_at(handed, lane)
        for lane in list(self.by_name.values()):
            self._look_after(lane, now)
            if lane.handle is None and not lane.closing and (self.finished or self.plan.leaves(lane, 0.0)):
                self.close(lane)
            lane.send()
        if self._idle:
            self.serve(next(iter(self._idle.values())))

    def _ask_ahead(self) -> None:
        """Ask for jobs while workers start, too: they wait for the first one that is up."""
        if self.alike:
            if not (self.waiting or self._idle or self.finished) and len(self._open) < self.slots.count:
                self._ask(self.slots.sizes[0])
            return
        idle = {lane.held for lane in self._idle.values()}
        for held in {lane.held for lane in self.by_name.values() if lane.handle is None} - idle:
            if not self.finished and self.waits_for(held) is None:
                self._ask(held)

    def _look_at(self, handed: Handed, lane: Lane | None) -> None:
        job, known = handed.job, handed.clock
        elapsed = 0.0 if known is None else known.elapsed * job.devices
        left = self.source.time_left(job.trial, job.token, elapsed)
        if left > 0 and not (known is not None and known.loads_too_long):
            return
        if lane is None or not lane.doomed:
            handed.late = elapsed
        if lane is None:
            self.waiting.remove(handed)
            self._finish(handed, job.late(0.0))
        elif known is None:
            lane.ask_back(handed)
        else:
            lane.doomed = True

    def _look_after(self, lane: Lane, now: float) -> None:
        head = lane.head
        if lane.leaves_at is not None and now - lane.leaves_at > NOTICE:
            lane.doomed = True
        elif head is None or lane.doomed:
            return
        elif head.told_at is not None and now - head.told_at > ENDS:
            lane.doomed = True
        elif head.clock is not None and (self._idle or head.clock.held > SHORT):
            for handed in list(lane.jobs)[1:]:
                lane.ask_back(handed)
