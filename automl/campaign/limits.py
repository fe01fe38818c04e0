"""The limits of a whole campaign: its trials, retrainings and retries, on devices and on the clock."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from automl.campaign.allowance import Left
from automl.campaign.clock import CampaignClock
from automl.campaign.outlook import REFITS, STARTS, Outlook, by_merit, ending
from automl.campaign.search import Search
from automl.config import Limits
from automl.stopping import LIMITS


@dataclass(frozen=True)
class Ceiling:
    """What the campaign may cost in all, in device-seconds, and why."""

    cost: float
    reason: str


@dataclass(frozen=True)
class Pace:
    """How fast what follows the searches goes: `at_once` retrainings side by side.

    `reading`: wall seconds in which the data were read; `restart`: see `Executor`.
    """

    at_once: int = 1
    reading: float = 0.0
    restart: Callable[[], float | None] = lambda: None


@dataclass
class CampaignLimits:
    """What all `searches` may use together. `met`: the limit that ended the campaign early, once one has.

    `stopped`: why a user has ended it, once one has; `ceiling`: what its quotas leave. Both may be set by
    another thread.
    """

    limits: Limits
    clock: CampaignClock
    searches: Sequence[Search]
    pace: Pace = field(default_factory=Pace)
    met: str | None = None
    stopped: str = ""
    ceiling: Ceiling | None = None

    @property
    def bounded(self) -> bool:
        """Whether there is any limit."""
        return self.limits != Limits() or bool(self.stopped) or self.ceiling is not None

    def reached(self) -> str | None:
        """Why nothing more may start, or None."""
        if self.stopped:
            return self.stopped
        most = self.limits.trials
        if most is not None and sum(search.attempts for search in self.searches) >= most:
            return f"{LIMITS}: the campaign has started its {most} trials, retrainings and retries"
        left = self.left()
        return left.reason if left.seconds <= 0 else None

    def out_of_time(self) -> bool:
        """Whether it was stopped or has used its wall seconds: nothing at all may follow but the report."""
        wall = self.limits.wall_seconds
        if self.stopped:
            self.met = self.stopped
            return True
        if wall is None or self.clock.now() < wall:
            return False
        self.met = self.left().reason
        return True

    def left(self) -> Left:
        """Wall seconds that open attempts may go on; they use the device-seconds together."""
        if self.stopped:
            return Left(0.0, self.stopped)
        wall, device, left = self.limits.wall_seconds, self.limits.device_seconds, [Left(math.inf)]
        ceiling = self.ceiling
        if wall is not None:
            reason = f"{LIMITS}: the campaign has used its {wall:g} wall seconds"
            left.append(Left(wall - self.clock.now(), reason))
        if device is not None:
            reason = f"{LIMITS}: the campaign has used its {device:g} device-seconds"
            left.append(Left(self._seconds(device), reason))
        if ceiling is not None:
            left.append(Left(self._seconds(ceiling.cost), ceiling.reason))
        return min(left)

    def for_trials(self) -> Left:
        """The same for trials of searches: with `reserve`, what their winners need is left to those."""
        left, wall = self.left(), self.limits.wall_seconds
        if wall is None or not self.limits.reserve:
            return left
        outlooks = [search.outlook for search in by_merit(self.searches)]
        restart, started = self.pace.restart(), max((one.start for one in outlooks), default=0.0)
        start = STARTS * started if restart is None else restart
        kept = 0.0
        served: list[Outlook] = []
        for one in (each for each in outlooks if each.seconds):
            needed = start + ending([*served, one], self.pace.at_once, self.pace.reading, wall)
            if not served or needed <= wall / 2:
                served, kept = [*served, one], needed
        reason = f"{LIMITS}: the rest of its {wall:g} wall seconds is for the retrainings and the test"
        return min(left, Left(wall - self.clock.now() - kept, reason))

    def for_retraining(self, search: Search) -> Left:
        """The same for a retraining: the best winner may use all of it, others leave the rest its time.

        The fit on all rows follows all tests, so that it may use all of it, too.
        """
        left, wall = self.left(), self.limits.wall_seconds
        best = by_merit(self.searches)
        if wall is None or not self.limits.reserve or best[0] is search or search.refits:
            return left
        tests = sum(one.outlook.score for one in best if one is search or not one.outlook.missing)
        tests += best[0].outlook.refitted(wall)
        reason = f"{LIMITS}: the rest of its {wall:g} wall seconds is for the test of a better winner"
        return min(left, Left(wall - self.clock.now() - tests, reason))

    def for_combining(self, search: Search) -> float:
        """Wall seconds in which a retraining that combines trials must be done, test and all.

        The rest is for other searches, and for the fit of all that on all rows.
        """
        left, wall = self.left().seconds, self.limits.wall_seconds or math.inf
        best = by_merit(self.searches)[0]
        if not self.limits.reserve:
            return left - search.outlook.score
        ones = [one.outlook for one in self.searches if one is not search]
        others = sum(one.score if self.pace.at_once > 1 else one.within(wall) for one in ones)
        if best is search:
            return (left - search.outlook.score - others) / (1.0 + REFITS * search.outlook.refit)
        return left - search.outlook.score - others - best.outlook.refitted(wall)

    def in_turn(self, searches: Iterable[Search]) -> list[Search]:
        """The order in which winners are trained and tested: with `reserve` the best ones first."""
        return by_merit(searches) if self.limits.reserve else list(searches)

    def fits(self, seconds: float) -> bool:
        """Whether something that is expected to take so many wall seconds may start."""
        return not self.limits.reserve or seconds <= self.left().seconds

    def _seconds(self, device_seconds: float) -> float:
        """Wall seconds until the campaign has cost so many device-seconds."""
        held = sum(search.devices_held for search in self.searches)
        rest = device_seconds - sum(search.cost for search in self.searches)
        return 0.0 if rest <= 0 else rest / held if held else math.inf
