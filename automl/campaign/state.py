"""The state of a live search: what it is made of, what it has used, and what is open."""

from __future__ import annotations

from dataclasses import dataclass, field

from automl.campaign.afterwards import Afterwards, Next
from automl.campaign.allowance import Allowance
from automl.campaign.attempts import OpenTrials
from automl.campaign.clock import CampaignClock
from automl.campaign.keeping import Keeping
from automl.campaign.outlook import COMBINED, NOTHING, OF_A_FOLD, READING, SCORED, Outlook
from automl.campaign.refitting import Tested, described
from automl.campaign.retries import Retries
from automl.campaign.search import Incumbent
from automl.campaign.settings import SearchSettings
from automl.contracts import PluginSpec, TrialState
from automl.ledger import Ledger, SearchRow, TrialRow
from automl.selection import AGAIN, FINAL, REFIT, selected
from automl.stopping import Counts, may_go_on
from automl.strategies.searcher import Searcher


@dataclass
class SearchState:
    """What one search is made of, and how it stands."""

    row: SearchRow
    settings: SearchSettings
    ledger: Ledger
    searcher: Searcher | None  # None when there is one fixed configuration
    clock: CampaignClock = field(default_factory=CampaignClock)
    counts: Counts = field(default_factory=Counts)
    best: Incumbent | None = None
    ended: bool = False  # no further trial is proposed; what follows the search may remain

    def __post_init__(self) -> None:
        self._open = OpenTrials(self.settings.devices)
        self._allowance = Allowance(self.settings, self.counts, self._open, self.clock)
        self._retries = Retries(self.settings.retry, shares_gpu=self.settings.shares_gpu)
        self._after = Afterwards(self.settings, self.row.seed)
        self._keeping = Keeping(self.settings)
        self._started = 0
        self._exhausted = False
        self._known: dict[str, tuple[float, float]] = {}  # of the best trial
        self._stopped = ""  # by which limit of the campaign
        self._asked = ""  # by whom it was ended
        self.refits = False
        self.attempts = 0

    @property
    def pressure(self) -> float:
        """What it has spent, open trials at their expected cost: the least goes first."""
        return self._allowance.pressure

    @property
    def cost(self) -> float:
        """Device-seconds of all its trials, retrainings and retries so far, open ones included."""
        return self.counts.spent + self._after.cost + self.open_cost

    @property
    def open_cost(self) -> float:
        """Of open ones, as they were told."""
        return self._open.cost()

    def alive(self) -> dict[str, float]:
        """Device-seconds of open attempts until now, by their tokens."""
        return self._open.alive()

    @property
    def devices_held(self) -> float:
        """Devices that its open trials hold, those that follow the search included."""
        return self.settings.devices * len(self._open)

    @property
    def runs(self) -> bool:
        """Whether its first trial has started and it has not ended."""
        return self._started > 0 and not self.ended

    @property
    def idle(self) -> bool:
        """No trial is open or waiting, and none will come."""
        waiting = bool(self._open or self._retries)
        return self.ended and not waiting and self._next_after() is None

    @property
    def outlook(self) -> Outlook:
        """Wall seconds that its winner, as it is now, is expected to need, by what its trial has cost."""
        best, settings = self.best, self.settings
        if best is None or not settings.finals:
            return NOTHING
        trial, alone = self._seconds_of(best)
        again = sum(
            self._after.missing(Next(AGAIN, one)) for one in self._keeping.leaders if settings.top > 1
        )
        missing = self._after.missing(Next(FINAL, best))
        fit = self._after.fits.get(best.key, alone * settings.devices) / settings.devices
        start, one = self._open.starting, alone if settings.combined else fit
        score = start * READING + (SCORED * one * settings.finals if settings.cross_validates else 0.0)
        others = sum(each.cost for each in self._keeping.combined[1 : 1 + COMBINED])
        members = others * alone / best.cost * missing if best.cost else 0.0
        return Outlook(again * trial, fit, missing, score, start, members, settings.refit)

    def _seconds_of(self, best: Incumbent) -> tuple[float, float]:
        """Wall seconds of a trial, and those that one retraining is expected to take."""
        if best.trial not in self._known:
            told = self.ledger.reports(trials=[best.trial]).get(best.trial)
            cost = best.cost / self.settings.devices
            parts = max(1, told[-1].step) / OF_A_FOLD if told and self.settings.cross_validates else 1.0
            self._known = {best.trial: (cost, cost / parts)}
        return self._known[best.trial]

    @property
    def final_evaluator(self) -> PluginSpec:
        """What retrains the winner: a genotype is trained by the study's protocol."""
        return self.settings.final_evaluator(derived=self._derived)

    @property
    def _derived(self) -> bool:
        return self.best is not None and self.best.derived is not None

    def time_left(self, trial: str, token: str, elapsed: float) -> float:
        """Wall seconds that an attempt may go on after `elapsed` device-seconds."""
        attempt = self._open.get(trial, token)
        return 0.0 if attempt is None else self._allowance.time_left(attempt, elapsed)

    def cut(self, trial: str, token: str, reason: str) -> None:
        """Note that an attempt is ended by a limit of the campaign."""
        attempt = self._open.get(trial, token)
        if attempt is not None:
            attempt.cut = reason

    def _next_after(self) -> Next | None:
        """The next evaluation that follows the search; None when none does now."""
        if self.best is None or self._stopped:
            return None
        if len(self._keeping.leaders) > 1:
            for again in (Next(AGAIN, one) for one in self._keeping.leaders):
                if self._after.missing(again):
                    return again
            if self._open.has(AGAIN) or self._retries.has(AGAIN):
                return None  # the winner is not known yet
        following = self._after.of_winner(self.best)
        refits = following is None and self.refits and self.lacks_refit
        return Next(REFIT, self.best) if refits else following

    @property
    def lacks_refit(self) -> bool:
        """Whether its winner's model is still to be fitted on all rows, if it is the one that predicts."""
        return self.best is not None and self._after.missing(Next(REFIT, self.best)) > 0

    def _described(self, row: TrialRow) -> Tested:
        """What a refit is to fit on all rows."""
        return described(self.ledger, row, self.settings.metrics[0])

    def _select(self) -> None:
        """Name the winner of a search that has ended, once its best ones have all been evaluated again."""
        following = self._next_after()
        unfinished = self._open.has(AGAIN) or self._retries.has(AGAIN) or self._after.cut or self._stopped
        if (
            not self.ended
            or unfinished
            or len(self._keeping.leaders) < 2
            or (following and following.kind == AGAIN)
        ):
            return
        self.best = selected(self._keeping.leaders, self._after.values, self.settings.metrics[0].direction)
        self.ledger.name_winner(self.row.id, self.best.trial)

    def needs_reports(self, row: TrialRow) -> bool:
        """Whether the reports of a trial are needed to restore it."""
        if row.state is TrialState.RUNNING or not self._may_go_on or self.searcher is None:
            return row.state is TrialState.RUNNING
        return row.kind == "trial" and (row.state is TrialState.PRUNED or self.searcher.compares_reports)

    @property
    def _may_go_on(self) -> bool:
        """Whether it may propose another trial: it has not ended, or its campaign has grown."""
        return self.row.state != "finished" or (self.settings.reopens and may_go_on(self.row.reason))
