"""In which form the runs of a campaign are: what a step of its searches counts, and what is recorded.

The form is chosen when the run of a campaign is first made, stands in its tag `automl.step`, and stays: a
campaign that grows keeps its axis. Runs without that tag are of earlier versions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from automl.ledger.rows import CampaignRow

STEP_TAG: Final = "automl.step"
LEAST: Final = 20.0  # device-seconds of a search from which its steps are whole seconds
SECOND, MILLISECOND, TRIAL = "device-second", "device-millisecond", "trial"


@dataclass(frozen=True)
class Form:
    """`step`: what one step of a search counts. `earlier`: as versions before this choice recorded."""

    step: str
    earlier: bool = False

    @property
    def step_tag(self) -> str:
        """The value of `STEP_TAG`."""
        return "" if self.earlier else self.step

    @property
    def in_seconds(self) -> bool:
        """Whether the axis of steps is one of device-seconds as it stands."""
        return self.step == SECOND

    def place(self, spent: float, trials: int) -> int:
        """The step at which a search has spent so many device-seconds in so many trials."""
        if self.step == TRIAL:
            return trials
        return math.ceil(spent) if self.step == SECOND else round(1000 * spent)


EARLIER: Final = Form(MILLISECOND, earlier=True)


def chosen(campaign: CampaignRow) -> Form:
    """The form of a campaign that is not recorded yet: seconds, or what its searches have enough of."""
    budget = campaign.spec.get("budget") or {}
    seconds = budget.get("device_seconds")
    if seconds is None:
        return Form(TRIAL if budget.get("trials") is not None else SECOND)
    return Form(SECOND if seconds >= LEAST else MILLISECOND)


def form_in(tags: Mapping[str, str] | None, campaign: CampaignRow) -> Form:
    """The form of a campaign from the tags of its run; None: there is no run yet."""
    if tags is None:
        return chosen(campaign)
    step = tags.get(STEP_TAG, "")
    return Form(step) if step in (SECOND, MILLISECOND, TRIAL) else EARLIER
