"""What a search has used and may still use, and how long an attempt may therefore go on."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from automl.campaign.attempts import OpenTrial, OpenTrials
from automl.campaign.clock import CampaignClock
from automl.campaign.settings import SearchSettings
from automl.contracts import Outcome, TrialState
from automl.stopping import Counts

FIRST_VALUE_OVERRUN = 1.1  # times its budget may a search use that has no value yet
RETURNS_EARLY_OVERRUN = 2.0  # the same, when its evaluator returns by itself what it has reached


class Left(NamedTuple):
    """Wall seconds that are left, and what the attempt is ended by then; empty: its own deadline."""

    seconds: float
    reason: str = ""


@dataclass
class Allowance:
    """What the trials of one search may use. A simulated clock charges itself, so no deadline follows it.

    `has_value`: whether a trial is complete. `begun`: the campaign's clock when its first trial started.
    """

    settings: SearchSettings
    counts: Counts
    open: OpenTrials
    clock: CampaignClock = field(default_factory=CampaignClock)
    has_value: bool = False
    begun: float | None = None

    @property
    def pressure(self) -> float:
        """Device-seconds spent, open trials at their expected cost."""
        counts = self.counts
        return counts.spent + self.open.expected(counts.spent / counts.ended if counts.ended else 0.0)

    @property
    def remaining(self) -> float | None:
        """Device-seconds that are left for a further trial; None for any."""
        budget, wall = self.settings.budget, self.settings.wall_seconds
        left = [] if budget is None else [budget - self.pressure]
        left += [] if wall is None else [(wall - self.wall_used) * self.settings.devices]
        return min(left, default=None)

    @property
    def wall_used(self) -> float:
        """Wall seconds since the search's first trial started."""
        return 0.0 if self.begun is None else self.clock.now() - self.begun

    def begin(self) -> None:
        """The search's first trial starts, if none has started yet."""
        if self.begun is None:
            self.begun = self.clock.now()

    def time_left(self, attempt: OpenTrial, elapsed: float) -> float:
        """Wall seconds that an attempt may go on after `elapsed` device-seconds, reports or none."""
        attempt.tell(elapsed)
        left = self._left(attempt)
        attempt.cut = left.reason if left.seconds <= 0 else ""
        return left.seconds

    def at_report(self, attempt: OpenTrial) -> str | None:
        """Why an attempt must end as it reports, or None."""
        if attempt.is_final:
            return None
        left = self._of_budget(1.0 if self.has_value else FIRST_VALUE_OVERRUN)
        return left.reason if left.seconds <= 0 else None

    def ended(self, attempt: OpenTrial, outcome: Outcome) -> Outcome:
        """The outcome of an attempt. One that was cut off is no failure of its trial."""
        if not outcome.late:
            return outcome
        attempt.tell(outcome.device_seconds)
        reason = attempt.cut or self._left(attempt).reason
        return replace(outcome, state=TrialState.PRUNED, reason=reason) if reason else outcome

    def _left(self, attempt: OpenTrial) -> Left:
        own = Left(attempt.deadline - attempt.elapsed / self.settings.devices)
        if attempt.is_final or self.settings.simulated:
            return own
        early = RETURNS_EARLY_OVERRUN if self.settings.returns_early else FIRST_VALUE_OVERRUN
        return min(own, self._share(attempt), self._of_budget(1.0 if self.has_value else early))

    def _share(self, attempt: OpenTrial) -> Left:
        """What is left of the part of the budget that one trial may use before its first value."""
        settings, seconds = self.settings, [math.inf]
        if attempt.valued or settings.share == 1.0:
            return Left(math.inf)
        if settings.budget is not None:
            spent = attempt.row.device_seconds + attempt.elapsed
            seconds.append((settings.share * settings.budget - spent) / settings.devices)
        if settings.wall_seconds is not None:
            seconds.append(settings.share * settings.wall_seconds - attempt.elapsed / settings.devices)
        return Left(
            min(seconds), f"budget: the trial reported no value within {settings.share:g} of it (trial.share)"
        )

    def _of_budget(self, overrun: float) -> Left:
        """The rest of the budget. All open trials use its device-seconds at once."""
        budget, wall, left = self.settings.budget, self.settings.wall_seconds, [Left(math.inf)]
        if budget is not None:
            rest = overrun * budget - self.counts.spent - self.open.reported()
            at_once = self.settings.devices * max(1, self.open.paid_count)
            left.append(Left(rest / at_once, "budget: the search has used its device-seconds"))
        if wall is not None:
            rest = overrun * wall - self.wall_used
            left.append(Left(rest, "budget: the search has used its wall seconds"))
        return min(left)
