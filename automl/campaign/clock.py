"""The clock of a campaign: seconds in which it has had a driver. It stands still between two drivers."""

from __future__ import annotations

import time
from collections.abc import Sequence

from automl.ledger import DriveRow


class CampaignClock:
    """`earlier`: the times of earlier drivers; `began`: monotonic seconds at which this one began."""

    def __init__(self, earlier: Sequence[DriveRow] = (), began: float | None = None) -> None:
        self._earlier = list(earlier)
        self._began = time.monotonic() if began is None else began
        self._began_at = time.time() - (time.monotonic() - self._began)

    def now(self) -> float:
        """Seconds so far."""
        return self._before(self._began_at) + time.monotonic() - self._began

    def at(self, moment: float) -> float:
        """Seconds at a moment in POSIX seconds."""
        return self._before(moment) + max(0.0, moment - self._began_at)

    def _before(self, moment: float) -> float:
        return sum(max(0.0, min(drive.until, moment) - drive.started_at) for drive in self._earlier)
