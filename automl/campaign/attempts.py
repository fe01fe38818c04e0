"""The trials of a live search that are open: who runs, since when, and what each attempt has cost so far."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from automl.ledger import ReportRow, TrialRow
from automl.signs import last_sign


@dataclass
class Total:
    """How many open trials a search pays for, and what they have told so far: it is asked at each event.

    `devices`: what a wall second costs; `seconds`: device-seconds. `starting`: the most wall seconds that
    one of its workers took to start one.
    """

    devices: float
    count: int = 0
    seconds: float = 0.0
    starting: float = 0.0


@dataclass
class OpenTrial:
    """One attempt that a worker runs. `deadline`: its own, in wall seconds.

    `elapsed`: its device-seconds, as last told, at the monotonic second `told_at`; `total` adds them up.
    `valued`: whether it or an earlier attempt has reported a value. `cut`: why it is ended before its own
    deadline, once it is.
    """

    row: TrialRow
    handed_out: float  # monotonic seconds
    deadline: float
    elapsed: float = 0.0
    told_at: float | None = None
    total: Total | None = None
    valued: bool = False
    cut: str = ""

    @property
    def is_final(self) -> bool:
        """Whether it follows the search, which does not pay for it."""
        return self.row.kind != "trial"

    def tell(self, elapsed: float) -> None:
        """Take the device-seconds of the attempt, as its worker or executor tells them."""
        before = self.elapsed
        self.elapsed, self.told_at = max(before, elapsed), time.monotonic()
        if self.total is not None:
            self.total.seconds += self.elapsed - before
            if not before and self.elapsed:
                waited = self.told_at - self.handed_out - self.elapsed / self.total.devices
                self.total.starting = max(self.total.starting, waited)

    def alive(self, devices: float) -> float:
        """Device-seconds until now, as told last and what passed since; none until its worker has started.

        Of an executor that never tells, since it was handed out.
        """
        if self.told_at is None:
            return self.used(devices)
        return self.elapsed + (time.monotonic() - self.told_at) * devices if self.elapsed else 0.0

    def used(self, devices: float) -> float:
        """Device-seconds of this attempt so far; before the first report with the start of its worker."""
        return max(self.elapsed, (time.monotonic() - self.handed_out) * devices)


class OpenTrials:
    """The open trials of one search, by id. `devices`: what a wall second of a trial costs."""

    def __init__(self, devices: float) -> None:
        self.devices = devices
        self._by_id: dict[str, OpenTrial] = {}
        self._valued: set[str] = set()
        self._total = Total(devices)

    def __len__(self) -> int:
        return len(self._by_id)

    def has(self, kind: str) -> bool:
        """Whether one of that kind is open."""
        return any(attempt.row.kind == kind for attempt in self._by_id.values())

    def add(self, row: TrialRow, deadline: float) -> OpenTrial:
        """Note that an attempt is handed out now."""
        added = OpenTrial(row, time.monotonic(), deadline, valued=row.id in self._valued)
        if not added.is_final:
            added.total = self._total
            self._total.count += 1
        self._by_id[row.id] = added
        return added

    def note_value(self, trial: str) -> None:
        """Note that a trial has reported a value, in this attempt or in an earlier one."""
        self._valued.add(trial)
        if trial in self._by_id:
            self._by_id[trial].valued = True

    def get(self, trial: str, token: str) -> OpenTrial | None:
        """The open attempt of `trial` with that token; None when it is not open (any more)."""
        attempt = self._by_id.get(trial)
        return attempt if attempt is not None and attempt.row.token == token else None

    def remove(self, trial: str, token: str) -> OpenTrial | None:
        """Take out the attempt with that token; None when it is not open (any more)."""
        if (found := self.get(trial, token)) is None:
            return None
        if found.total is not None:
            self._total.count -= 1
            self._total.seconds = self._total.seconds - found.elapsed if self._total.count else 0.0
        return self._by_id.pop(trial)

    def expected(self, mean: float) -> float:
        """What open trials will have cost at least; `mean`: device-seconds of a trial that has ended."""
        return sum(max(mean, attempt.used(self.devices)) for attempt in self.paid())

    def alive(self) -> dict[str, float]:
        """Device-seconds of all open attempts until now, by their tokens; safe in another thread."""
        return {one.row.token: one.alive(self.devices) for one in list(self._by_id.values())}

    def used(self) -> float:
        """Device-seconds of open trials so far, by this machine's clock."""
        return sum(attempt.used(self.devices) for attempt in self.paid())

    def reported(self) -> float:
        """Device-seconds of open trials so far, as they were told."""
        return self._total.seconds

    @property
    def starting(self) -> float:
        """The most wall seconds that it took to start a worker and load what a trial needs."""
        return self._total.starting

    @property
    def paid_count(self) -> int:
        """How many open trials the search pays for."""
        return self._total.count

    def cost(self) -> float:
        """Device-seconds of all open attempts so far, of any kind, as told; safe in another thread."""
        return sum(attempt.elapsed for attempt in list(self._by_id.values()))

    def paid(self) -> list[OpenTrial]:
        """The open trials that the search pays for: all but those that follow it."""
        return [attempt for attempt in self._by_id.values() if not attempt.is_final]


def cost_of_killed(row: TrialRow, reports: Iterable[ReportRow], signs: Mapping[str, float]) -> float:
    """Device-seconds of the last attempt of a trial whose driver was killed: the last that is known of it.

    By its reports and its worker's own last sign, or the driver's in `signs` where there is none: a driver
    may not have heard yet that the worker had died. None of the time until its worker had started.
    """
    own = [one.device_seconds for one in reports if one.attempt == row.attempt]
    worker = last_sign(Path(row.workdir), row.token) if row.workdir else None
    return max(*own, signs.get(row.token, 0.0) if worker is None else worker, 0.0)
