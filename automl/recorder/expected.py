"""The runs that MLflow must have by now, made from the ledger a few at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from automl.recorder.form import Form
from automl.recorder.projection import Projection, project
from automl.recorder.results import result_of
from automl.recorder.search_runs import every_trial, search_runs
from automl.recorder.wanted_run import WantedRun

if TYPE_CHECKING:
    from automl.ledger.ledger import Ledger
    from automl.ledger.rows import SearchRow, TrialRow

TOGETHER: Final = 500  # trials whose runs are in memory


@dataclass(frozen=True)
class Expected:
    """What MLflow must have by now. `live`: a driver is adding to it.

    `trials`: the ids of all trials; `judged`: of those whose runs are compared, in order.
    """

    ledger: Ledger
    projection: Projection
    searches: list[SearchRow]
    trials: list[str]
    judged: dict[str, None]
    live: bool

    @classmethod
    def of(cls, ledger: Ledger, campaign_id: str, form: Form | None) -> Expected:
        """What the ledger says now. `form`: of the runs, None for that of a campaign without any."""
        ledger.check_references()  # a run of a trial that lost its search must not count as one too many
        campaign = ledger.campaign(campaign_id)
        status = None if campaign is None else ledger.status(campaign)
        projection, searches = project(ledger, campaign_id, form, interrupted=status == "interrupted")
        live = status in ("running", "paused")
        trials = ledger.trial_ids(campaign_id)
        judged = ledger.trial_ids(campaign_id, recorded=2) if live else trials
        kept = dict.fromkeys(judged if projection.with_trials else [])
        return cls(ledger, projection, searches, trials, kept, live)

    @cached_property
    def parents(self) -> dict[str, SearchRow | None]:
        """The campaign and its searches, which are compared while no driver adds to them."""
        if self.live:
            return {}
        return {self.projection.campaign.id: None, **{row.id: row for row in self.searches}}

    @cached_property
    def order(self) -> list[str]:
        """The identities of all runs that are compared, parents first."""
        return [*self.parents, *self.judged]

    @cached_property
    def _known(self) -> set[str]:
        return {self.projection.campaign.id, *(row.id for row in self.searches), *self.trials}

    def knows(self, identity: str) -> bool:
        """Whether the ledger has this identity, or may have by now."""
        return self.live or identity in self._known

    def parent(self, identity: str) -> str | None:
        """The identity of which the run of this one is a child; None for the campaign."""
        campaign = self.projection.campaign.id
        if identity == campaign:
            return None
        return campaign if identity in self.parents else identity.rpartition("/")[0]

    def runs(self, wanted: Collection[str]) -> Iterator[list[WantedRun]]:
        """The runs of those of the `wanted` identities that are compared, parents first, some at once."""
        campaign = self.projection.campaign
        if campaign.id in wanted and campaign.id in self.parents:
            ended = every_trial(self.ledger, campaign.id) if campaign.state == "finished" else ()
            yield [self.projection.campaign_run(ended, result_of(self.ledger, campaign))]
        searches = [row for row in self.searches if row.id in wanted and row.id in self.parents]
        yield from search_runs(self.ledger, self.projection, searches)
        trials = [identity for identity in wanted if identity in self.judged]
        for start in range(0, len(trials), TOGETHER):
            yield self._trial_runs(self.ledger.trials_named(trials[start : start + TOGETHER]))

    def _trial_runs(self, rows: list[TrialRow]) -> list[WantedRun]:
        reports = self.ledger.reports(trials=[row.id for row in rows])
        return [self.projection.trial_run(row, reports.get(row.id, [])) for row in rows]

    def unrecorded(self) -> set[str]:
        """The identities of which MLflow was not known to have the end."""
        campaign = self.projection.campaign
        found = {*self.trials}.difference(self.ledger.trial_ids(campaign.id, recorded=2))
        found |= {row.id for row in self.searches if row.recorded < 2 or campaign.recorded < 2}
        return found | ({campaign.id} if campaign.recorded < 2 else set())

    def mark(self) -> None:
        """Note in the ledger that MLflow has it all."""
        if self.live:
            return
        campaign = self.projection.campaign
        self.ledger.mark_trials_recorded(campaign.id)
        ended = {row.id: 2 if row.state == "finished" else 1 for row in self.searches}
        self.ledger.mark_searches_recorded(ended)
        self.ledger.mark_campaign_recorded(campaign.id, 2 if campaign.state == "finished" else 1)
