"""Tells of one campaign while it is driven: alarms when they ring, then its end or its failure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from automl.beside import beside
from automl.contracts import Json, RunError, UserError
from automl.ledger import CampaignRow, Ledger, Store, TrialRow
from automl.masking import mask_text
from automl.notifying import composing
from automl.notifying.delivery import Targets, announce, deliver
from automl.notifying.message import Message
from automl.recorder.link import campaign_link
from automl.report import collect
from automl.report.collapse import one_shot_searches
from automl.report.settings import StudySettings

LOOK: Final = 5.0  # seconds between two looks for alarms


class Announcer:
    """`tell` shows a line to whoever watches the campaign. Nothing here fails it.

    `firing`: the planned start whose campaign it is; then its daemon tells of a failure, after its last try.
    """

    def __init__(
        self,
        ledger: Ledger,
        store: Store,
        targets: Targets,
        tell: Callable[[str], None],
        firing: int | None = None,
    ) -> None:
        self._ledger, self._store, self._targets, self._tell = ledger, store, targets, tell
        self._of_firing = firing is not None
        self._told: set[str] = set()  # trials whose alarm was told

    @contextmanager
    def following(self, campaign: CampaignRow, token: int) -> Iterator[None]:
        """Tell of alarms and of an error inside the block, in which a driver with that token is at work."""
        try:
            with self._watching(campaign):
                yield
        except Exception as error:
            if not self._of_firing:
                self.failed(campaign.id, token, error)
            raise

    @contextmanager
    def _watching(self, campaign: CampaignRow) -> Iterator[None]:
        """Look for alarms of one-shot searches inside the block, and once behind it."""
        study = StudySettings.from_json(campaign.spec)
        one_shot = [arm for arm in study.arms if study.arm(arm).one_shot]
        if not one_shot or not self._targets.wanting("collapse"):
            yield
            return

        def look() -> None:
            self._safely(lambda: self._alarms(campaign, study, one_shot))

        with beside(look, LOOK, "alarms"):
            yield
        look()

    def ended(self, campaign: str) -> None:
        """Tell of its end, and whatever of it is still owed."""
        if self._targets.entries:
            self._safely(lambda: self._ended(campaign))

    def failed(self, campaign: str, token: int, error: BaseException) -> None:
        """Tell of an error that ends its driver; not when another driver has taken over."""

        def tell_of_it() -> None:
            row = self._row(campaign)
            if row.token == token:
                self._announce([composing.failed(row, token, error, self._link(row))])

        if self._targets.wanting("failure"):
            self._safely(tell_of_it)

    def promoted(self, campaign: str, key: str, sentence: str, facts: Json) -> None:
        """Tell of a decision about a champion; the same `key` is told once."""

        def tell_of_it() -> None:
            row = self._row(campaign)
            self._announce([composing.promoted(row, key, sentence, facts, self._link(row))])

        if self._targets.wanting("promotion"):
            self._safely(tell_of_it)

    def owed(self, campaign: str) -> None:
        """Deliver what a driver that was killed has left."""

        def send() -> None:
            if owed := self._ledger.owed(campaign):
                deliver(self._ledger, self._targets, owed, self._tell)

        if self._targets.entries:
            self._safely(send)

    def _ended(self, campaign: str) -> None:
        row = self._row(campaign)
        if row.state == "finished":
            report = collect(self._ledger, campaign)
            trials = self._ledger.trials(campaign, light=True)
            elapsed = sum(drive.until - drive.started_at for drive in self._ledger.drives(campaign))
            self._announce(composing.ended(report, row, trials, elapsed, self._link(row)))
        self.owed(campaign)

    def _alarms(self, campaign: CampaignRow, study: StudySettings, arms: Sequence[str]) -> None:
        for search in self._ledger.searches(campaign.id):
            if search.arm not in arms:
                continue
            rung = [trial for trial in self._ledger.trials(search=search.id) if self._rings(trial)]
            for found in one_shot_searches(self._ledger, study, [search], {search.id: rung}):
                self._announce([composing.collapsed(campaign, found, self._link(campaign))])
                self._told.add(found.trial)

    def _rings(self, trial: TrialRow) -> bool:
        return trial.id not in self._told and bool((trial.metrics or {}).get("search_collapsed"))

    def _announce(self, messages: Sequence[Message]) -> None:
        announce(self._ledger, self._targets, messages, self._tell)

    def _link(self, row: CampaignRow) -> str:
        return campaign_link(self._store, row) or ""

    def _row(self, campaign: str) -> CampaignRow:
        row = self._ledger.campaign(campaign)
        if row is None:
            raise RunError(f"{campaign} is not in the store any more")
        return row

    def _safely(self, work: Callable[[], None]) -> None:
        try:
            work()
        except (RunError, UserError, OSError, ValueError) as error:
            self._tell(mask_text(f"warning: nobody was told of it: {error}"))


def announcer_of(
    ledger: Ledger, store: Store, campaign: CampaignRow, tell: Callable[[str], None]
) -> Announcer:
    """Tells those that a recorded campaign names, such as of a promotion."""
    return Announcer(ledger, store, Targets.recorded(campaign.spec), tell)
