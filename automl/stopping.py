"""When a search ends: the counts of its trials, and the rules that live and replayed searches share."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol

from automl.contracts import BROKEN, TrialState

BUDGET, LIMITS = "budget", "limits"  # reasons of ends that begin so are of a size, which may grow
PRUNED = "pruned"  # the reason of a trial that a pruner has ended
FAILURES_IN_A_ROW = 5  # then the search stops: the next trial would fail as well
FAILURES_OF_ONE_HOST = 25  # so many when all are of one host, and others have ended trials without a failure
BROKEN_IN_A_ROW = 1000  # trials that broke a constraint: then the search stops, for no trial may keep them
MARGIN = 0.9  # of the least that a trial is expected to cost must be left, or nothing fits the rest


class Budget(Protocol):
    """What a search may use, None for any; `budget` in device-seconds, `wall_seconds` by the clock."""

    @property
    def budget(self) -> float | None:
        """Device-seconds of all its trials."""

    @property
    def trials(self) -> int | None:
        """Trials it may start."""

    @property
    def least(self) -> float | None:
        """Device-seconds of its cheapest possible trial, where the evaluator knows them."""

    @property
    def wall_seconds(self) -> float | None:
        """Seconds from the start of its first trial to the end of its last."""


@dataclass(frozen=True)
class Standing:
    """Where a search stands. `pressure`: device-seconds spent, or expected of open trials.

    `single`: it has one configuration only. `exhausted`: its strategy has nothing left. `wall`: seconds
    since its first trial started.
    """

    started: int
    pressure: float
    single: bool = False
    exhausted: bool = False
    wall: float = 0.0


@dataclass
class Counts:
    """The trials of a search that have ended, and what they cost in device-seconds."""

    complete: int = 0
    pruned: int = 0
    failed: int = 0
    failed_in_a_row: int = 0
    broken_in_a_row: int = 0  # trials that broke a constraint
    spent: float = 0.0  # device-seconds of all attempts that ended
    cheapest: float | None = None  # device-seconds of the cheapest complete trial
    lowest: float = math.inf  # device-seconds of the cheapest trial that was not cut off
    highest: float = 0.0  # and of the dearest
    whole: int = 0  # how many those are
    last_stop: str = ""  # why the last trial ended where it did
    failing: set[str] = field(default_factory=set)  # hosts of the failures in a row
    healthy: set[str] = field(default_factory=set)  # hosts on which a trial has ended otherwise

    @property
    def least(self) -> float:
        """Device-seconds that a further trial costs at least, as far as the trials so far can say.

        The cheapest of n trials is not the cheapest that there is. For costs that are spread evenly by
        their logarithm, the true one is a further (n - 1)th of their range away; one trial says nothing.
        """
        if self.whole < 2 or not self.highest:
            return 0.0
        return self.lowest * math.pow(self.lowest / self.highest, 1 / (self.whole - 1))

    @property
    def ended(self) -> int:
        """Trials in a final state."""
        return self.complete + self.pruned + self.failed

    def charge(self, device_seconds: float) -> None:
        """Charge an attempt that did not end its trial."""
        self.spent += device_seconds

    @property
    def one_host_alone(self) -> str:
        """The host of all failures in a row, where others are known to work; "" otherwise."""
        alone = len(self.failing) == 1 and bool(self.healthy - self.failing)
        return next(iter(self.failing)) if alone else ""

    def add(
        self,
        state: TrialState,
        device_seconds: float,
        reason: str = "",
        *,
        charged: float = 0.0,
        host: str = "",
    ) -> None:
        """Count a trial that ended, and charge it.

        `device_seconds`: cost of all its attempts, of which `charged` is already paid. `reason`: why it
        ended where it did. `host`: where.
        """
        self.spent += device_seconds - charged
        self.last_stop = reason
        self.broken_in_a_row = self.broken_in_a_row + 1 if reason.startswith(BROKEN) else 0
        if state is TrialState.COMPLETE or (state is TrialState.PRUNED and reason == PRUNED):
            self.whole += 1
            self.lowest = min(device_seconds, self.lowest)
            self.highest = max(device_seconds, self.highest)
        if state is TrialState.COMPLETE:
            self.complete += 1
            self.cheapest = min(device_seconds, self.cheapest or device_seconds)
        elif state is TrialState.PRUNED:
            self.pruned += 1
        else:
            self.failed += 1
        self._note_host(state, host)

    def _note_host(self, state: TrialState, host: str) -> None:
        if state is TrialState.FAILED:
            self.failed_in_a_row += 1
            self.failing.add(host)
            return
        self.failed_in_a_row = 0
        self.failing.clear()
        self.healthy.add(host)


def may_go_on(reason: str | None) -> bool:
    """Whether a search that ended by `reason` goes on when it is given more."""
    return (reason or "").partition(":")[0] in (BUDGET, LIMITS)


def stop_reason(allowed: Budget, counts: Counts, standing: Standing) -> str | None:
    """Why a search starts no further trial, or None."""
    alone = counts.one_host_alone
    if counts.failed_in_a_row >= (FAILURES_OF_ONE_HOST if alone else FAILURES_IN_A_ROW):
        where = f", all on {alone}" if alone else ""
        return (
            f"failures: {counts.failed_in_a_row} trials in a row failed{where}; the last: {counts.last_stop}"
        )
    if counts.broken_in_a_row >= BROKEN_IN_A_ROW:
        return f"constraints: {BROKEN_IN_A_ROW} trials in a row broke one; the last: {counts.last_stop}"
    if standing.single and standing.started >= 1:
        return f"complete: its one trial has ended{counts.last_stop and ': ' + counts.last_stop}"
    if standing.exhausted:
        return "complete: the strategy has nothing left to propose"
    if allowed.trials is not None and standing.started >= allowed.trials:
        return f"{BUDGET}: {allowed.trials} trials"
    if allowed.wall_seconds is not None and standing.wall >= allowed.wall_seconds:
        return f"{BUDGET}: {standing.wall:.1f} of {allowed.wall_seconds:g} wall seconds"
    if allowed.budget is not None:
        least = counts.least if allowed.least is None else allowed.least
        if allowed.budget - standing.pressure <= MARGIN * least:
            return (
                f"{BUDGET}: {counts.spent:.1f} of {allowed.budget:g} device-seconds; no trial fits the rest"
            )
    return None
