"""The clock of a campaign: seconds in which it has had a driver and was not paused."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TypeAlias

from automl.ledger import DriveRow

Span: TypeAlias = tuple[float, float]  # POSIX seconds from which, and until when


class CampaignClock:
    """`earlier`: the times of earlier drivers; `began`: monotonic seconds at which this one began.

    `still`: when it stood still beside that, since its campaign was paused; may be set by another thread.
    """

    def __init__(self, earlier: Sequence[DriveRow] = (), began: float | None = None) -> None:
        self._began = time.monotonic() if began is None else began
        self._began_at = time.time() - (time.monotonic() - self._began)
        self._runs = [*((drive.started_at, drive.until) for drive in earlier), (self._began_at, math.inf)]
        self.still: Sequence[Span] = ()

    def now(self) -> float:
        """Seconds so far."""
        return self.at(self._began_at + time.monotonic() - self._began)

    def at(self, moment: float) -> float:
        """Seconds at a moment in POSIX seconds."""
        still = self.still
        seconds = 0.0
        for start, end in self._runs:
            run = (start, min(end, moment))
            seconds += _length(run) - sum(_length(_both(run, span)) for span in still)
        return seconds


def _length(span: Span) -> float:
    return max(0.0, span[1] - span[0])


def _both(one: Span, other: Span) -> Span:
    return max(one[0], other[0]), min(one[1], other[1])
