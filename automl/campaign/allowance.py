"""How long an attempt may go on: its own deadline, or what is left of its search's budget."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

from automl.campaign.attempts import OpenTrial, OpenTrials
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

    `has_value`: whether a trial is complete.
    """

    settings: SearchSettings
    counts: Counts
    open: OpenTrials
    has_value: bool = False

    def time_left(self, attempt: OpenTrial, elapsed: float) -> float:
        """Wall seconds that an attempt may go on after `elapsed` device-seconds, reports or none."""
        attempt.elapsed = max(attempt.elapsed, elapsed)
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
        """The outcome of an attempt. One that was cut off by the budget is no failure of its trial."""
        if not outcome.late:
            return outcome
        attempt.elapsed = max(attempt.elapsed, outcome.device_seconds)
        reason = attempt.cut or self._left(attempt).reason
        return replace(outcome, state=TrialState.PRUNED, reason=reason) if reason else outcome

    def _left(self, attempt: OpenTrial) -> Left:
        own = Left(attempt.deadline - attempt.elapsed / self.settings.devices)
        if attempt.is_final or self.settings.simulated:
            return own
        early = RETURNS_EARLY_OVERRUN if self.settings.returns_early else FIRST_VALUE_OVERRUN
        return min(own, self._of_budget(1.0 if self.has_value else early))

    def _of_budget(self, overrun: float) -> Left:
        """The rest of the budget, which all open trials use at once."""
        budget = self.settings.budget
        if budget is None:
            return Left(math.inf)
        rest = overrun * budget - self.counts.spent - self.open.reported()
        at_once = self.settings.devices * max(1, len(self.open.paid()))
        return Left(rest / at_once, "budget: the search has used its device-seconds")
