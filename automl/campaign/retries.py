"""Attempts that wait to be made again, and which may be."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from automl.config import Retry
from automl.contracts import Ending
from automl.ledger import AttemptRow, TrialRow

LONGEST_WAIT = 60.0  # seconds
WAITS = {Ending.TRANSIENT, Ending.OOM}  # a new worker needs no time to pass


@dataclass(frozen=True)
class Waiting:
    """An attempt that may be made from the monotonic time `due` on."""

    row: TrialRow
    due: float


class Retries:
    """The next attempts of one search, in the order in which the last ones ended.

    `shares_gpu`: its trials hold a part of a GPU. One that ran out of that memory is tried again alone, once
    also where the policy says never.
    """

    def __init__(self, policy: Retry, *, shares_gpu: bool = False) -> None:
        self.policy, self._shares_gpu = policy, shares_gpu
        self._waiting: list[Waiting] = []
        self._endings: defaultdict[str, Counter[str]] = defaultdict(Counter)  # by trial

    def __len__(self) -> int:
        return len(self._waiting)

    def has(self, kind: str) -> bool:
        """Whether an attempt of that kind waits."""
        return any(waiting.row.kind == kind for waiting in self._waiting)

    def due(self, kind: str) -> bool:
        """Whether an attempt of that kind need not wait any longer."""
        now = time.monotonic()
        return any(waiting.row.kind == kind and waiting.due <= now for waiting in self._waiting)

    def restore(self, row: TrialRow, attempts: Sequence[AttemptRow]) -> None:
        """Count the attempts of a trial that ended before it was restarted.

        Those that an earlier version did not keep were lost with their drivers.
        """
        again = [attempt for attempt in attempts if attempt.attempt < row.attempt]
        counted = [one.ending for one in again if _counts(one.ending, one.device_seconds)]
        self._endings[row.id].update(counted)
        self._endings[row.id][Ending.PREEMPTED] += row.attempt - 1 - len(again)

    def allows(self, trial: str, ending: Ending, cost: float) -> bool:
        """Whether a trial is tried again after one more attempt that ended so, and has cost `cost`."""
        most = self.policy.of(ending)
        if ending is Ending.OOM and self._shares_gpu:
            most = max(most, 1)
        return not _counts(ending, cost) or self._endings[trial][ending] < most

    def is_alone(self, trial: str) -> bool:
        """Whether the next attempt of a trial must be alone on its GPU: an earlier one ran out of memory."""
        return self._shares_gpu and self._endings[trial][Ending.OOM] > 0

    def add(self, row: TrialRow, ending: Ending, cost: float) -> None:
        """Let the next attempt wait; each further one of its kind twice as long."""
        self._endings[row.id][ending] += _counts(ending, cost)
        count = self._endings[row.id][ending]
        wait = min(self.policy.backoff * 2 ** (count - 1), LONGEST_WAIT) if ending in WAITS else 0.0
        self._waiting.append(Waiting(row, time.monotonic() + wait))

    def next(self, kind: str, *, due_only: bool = True) -> TrialRow | None:
        """Take out the next attempt of a kind that need not wait (any longer)."""
        now = time.monotonic()
        for waiting in self._waiting:
            if waiting.row.kind == kind and (waiting.due <= now or not due_only):
                self._waiting.remove(waiting)
                return waiting.row
        return None

    def take(self, trial: str) -> TrialRow | None:
        """Take out the next attempt of a trial; None when none waits."""
        for waiting in self._waiting:
            if waiting.row.id == trial:
                self._waiting.remove(waiting)
                return waiting.row
        return None


def _counts(ending: Ending, cost: float) -> bool:
    """Whether an attempt counts: not one that its driver's or node's death ended before it began."""
    return ending is not Ending.PREEMPTED or cost > 0
