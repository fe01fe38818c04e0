"""The slots of a campaign: how many its trials hold, and how many they may hold."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field


@dataclass
class Slots:
    """The slots of a campaign, as its pool and its thread of sharing see them. `most`: what its executor has.

    `share`: how many of them it may hold now, None for all. `jobs`: that are open, one in each slot, unless
    the executor says how many slots its `workers` hold. `ready`: whether it could use another slot.
    `waits_for`: why nothing new may start, where that is no lack of slots. `ends_in`: seconds until the
    searches have ended, where that is known.
    """

    most: int
    share: int | None = None
    jobs: int = 0
    workers: int | None = None
    ready: bool = True
    waits_for: str = ""
    ends_in: float | None = None
    freed: threading.Event = field(default_factory=threading.Event)
    _used: float = 0.0  # slot-seconds up to `_since`
    _since: float = field(default_factory=time.monotonic)

    @property
    def held(self) -> int:
        """How many slots it holds."""
        return self.jobs if self.workers is None else self.workers

    @property
    def bound(self) -> int:
        """How many trials may run now."""
        return self.most if self.share is None else min(self.most, self.share)

    @property
    def free(self) -> bool:
        """Whether another job may be handed out; to workers of its own an executor hands several."""
        if self.waits_for:
            return False
        return self.share is None or (self.jobs if self.workers is None else 0) < self.share

    @property
    def queued(self) -> bool:
        """Whether nothing runs, since nothing may."""
        return not self.jobs and not self.free

    def slot_seconds(self) -> float:
        """Seconds that its slots were held in all, those side by side added."""
        return self._used + self.held * (time.monotonic() - self._since)

    def hold(self, jobs: int) -> None:
        """Note how many jobs are open; a slot that is given back is told to the others at once."""
        before = self.held
        self._note()
        self.jobs = jobs
        if self.share is not None and before > self.held and (before > self.share or not jobs):
            self.freed.set()

    def hold_workers(self, workers: int | None, most: int) -> None:
        """Note how many slots the workers of its executor hold, and how many it has."""
        self._note()
        self.workers, self.most = workers, most

    def _note(self) -> None:
        self._used, self._since = self.slot_seconds(), time.monotonic()
