"""When the searches of a campaign will end, as far as that can be known: about, or not at all.

The part s of all budgets that is used grows with the time t. From the first look (t₀, s₀) on,

    about = (t − t₀) · (1 − s) / (s − s₀)

which is said only after a twentieth of all budgets and five seconds. Retrainings are not in it: what one
costs is not known before one has ended.
"""

from __future__ import annotations

from typing import Final

from automl.progress.status import CampaignStatus

LEAST_SHARE: Final = 0.05  # of all budgets
LEAST_SECONDS: Final = 5.0


class Estimate:
    """Looks at a campaign again and again."""

    def __init__(self) -> None:
        self._first: tuple[float, float] | None = None  # elapsed seconds, share
        self._share = 0.0  # at the last look
        self._size = 0  # searches: more of them make another campaign of it

    def about(self, status: CampaignStatus) -> float | None:
        """Seconds until its searches end; None while that cannot be known, and once they have."""
        elapsed, share = status.elapsed, status.share
        anew = share < self._share - LEAST_SHARE or self._size != len(status.searches)  # it has grown
        self._share = share
        if self._first is None or status.paused or anew:
            self._first, self._size = (elapsed, share), len(status.searches)
            return None
        took, gained = elapsed - self._first[0], share - self._first[1]
        if took < LEAST_SECONDS or gained < LEAST_SHARE or share >= 1.0:
            return None
        about = took * (1.0 - share) / gained
        return about if status.limit is None else min(about, status.limit)
