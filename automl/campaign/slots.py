"""The slots of a campaign: how many its trials hold, and how many they may hold."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field


@dataclass
class Slots:
    """The slots of a campaign, as its pool and its thread of sharing see them. `most`: what its executor has.

    `share`: how many of them it may hold now, None for all. `held`: in which its trials run; `ready`: whether
    it could use another one. `waits_for`: why nothing new may start, where that is no lack of slots. `ends_in`:
    seconds until the searches have ended, where that is known.
    """

    most: int
    share: int | None = None
    held: int = 0
    ready: bool = True
    waits_for: str = ""
    ends_in: float | None = None
    freed: threading.Event = field(default_factory=threading.Event)
    _used: float = 0.0  # slot-seconds up to `_since`
    _since: float = field(default_factory=time.monotonic)

    @property
    def bound(self) -> int:
        """How many trials may run now."""
        return self.most if self.share is None else min(self.most, self.share)

    @property
    def free(self) -> bool:
        """Whether another trial may start."""
        return not self.waits_for and (self.share is None or self.held < self.share)

    @property
    def queued(self) -> bool:
        """Whether nothing runs, since nothing may."""
        return not self.held and not self.free

    def slot_seconds(self) -> float:
        """Seconds that its trials have run in all, those of trials side by side added."""
        return self._used + self.held * (time.monotonic() - self._since)

    def hold(self, number: int) -> None:
        """Note in how many slots trials run; one that is given back is told to the others at once."""
        gives_back = number < self.held and self.share is not None and self.held > self.share
        self._used, self._since = self.slot_seconds(), time.monotonic()
        self.held = number
        if gives_back or (self.share is not None and not number):
            self.freed.set()
