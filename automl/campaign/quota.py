"""Quotas of the study and of the user that a campaign is charged to, looked up while it runs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from automl.campaign.limits import CampaignLimits, Ceiling
from automl.campaign.search import Search, alive
from automl.campaign.slots import Slots
from automl.config import Study
from automl.contracts import RunError
from automl.ledger import STOPPED, Ledger, Usage
from automl.progress import Progress

LOOK: Final = 5.0  # seconds between two looks


@dataclass(frozen=True)
class Charged:
    """Whom the campaign is charged to, and what becomes of it when a quota is used up."""

    study: str
    user: str | None
    over_quota: Literal["end", "wait"]


def charged_to(study: Study, user: str | None) -> Charged:
    """Whom a campaign of `study` is charged to that `user` began."""
    return Charged(study.name, user, study.over_quota)


class QuotaWatch:
    """Keeps a campaign within its quotas: they end it as its limits do, or let it wait."""

    def __init__(
        self,
        ledger: Ledger,
        charged: Charged,
        limits: CampaignLimits,
        slots: Slots,
        progress: Progress,
    ) -> None:
        self.progress = progress
        self.told = 0.0  # device-seconds of open attempts that the ledger counts already
        self._ledger, self._charged, self._limits, self._slots = ledger, charged, limits, slots
        self._looked = 0.0

    @property
    def _searches(self) -> Sequence[Search]:
        return self._limits.searches

    def open_cost(self) -> float:
        """Device-seconds of the open attempts so far."""
        return sum(alive(self._searches).values())

    def look(self) -> None:
        """Look up what is used, when the last look is old enough."""
        now = time.monotonic()
        if self._looked and now - self._looked < LOOK:
            return
        self._looked = now
        usages = self._ledger.usages(study=self._charged.study, user=self._charged.user)
        tightest = min(usages, key=lambda usage: usage.left, default=None)
        if self._charged.over_quota == "wait":
            self._wait(tightest)
        elif tightest is None:
            self._limits.ceiling = None
        else:
            ended = sum(search.cost - search.open_cost for search in self._searches)
            self._limits.ceiling = Ceiling(ended + self.told + tightest.left, over(tightest))

    def _wait(self, tightest: Usage | None) -> None:
        why = "" if tightest is None or tightest.left > 0 else waits_for(tightest)
        if why and not self._slots.waits_for:
            self.progress.message(f"{why}; nothing new starts until it has room again")
        elif self._slots.waits_for and not why:
            self.progress.message("its quota has room again: it goes on")
        self._slots.waits_for = why


def waits_for(usage: Usage) -> str:
    """What a campaign waits for whose quota is used up."""
    return f"the quota of {usage.quota.words} is used up, and {usage.anew}"


def over(usage: Usage) -> str:
    """Why a campaign ends: as one that a user has stopped, it can be resumed and goes on."""
    return f"{STOPPED} the quota of {usage.quota.words}: it is used up, and {usage.anew}"


def check_quotas(ledger: Ledger, charged: Charged) -> None:
    """Raise `RunError` when a quota leaves nothing to a campaign that would not wait."""
    if charged.over_quota == "wait":
        return
    for usage in ledger.usages(study=charged.study, user=charged.user):
        if usage.left <= 0:
            raise RunError(
                f"a campaign needs room in its quotas, but the quota of {usage.quota.words} is used up "
                f"({usage.used / 3600:.3g} device-hours), and {usage.anew}; nothing was started; let it wait "
                "with --set over_quota=wait, or see `automl quota list`"
            )
