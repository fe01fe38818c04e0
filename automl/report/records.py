"""What a report reads from the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from automl.contracts import CampaignMemory
    from automl.ledger.results import CampaignResults
    from automl.ledger.rows import CampaignRow, OpeningRow, ReportRow, SearchRow, TrialRow


class Records(Protocol):
    """The rows of campaigns; `automl.ledger.Ledger` has them all."""

    def campaign(self, campaign: str, /) -> CampaignRow | None:
        """A campaign by its id."""

    def status(self, campaign: CampaignRow, /) -> str:
        """Whether it is running, finished or interrupted."""

    def searches(self, campaign: str, /) -> Sequence[SearchRow]:
        """Its searches."""

    def trials(
        self, campaign: str | None = None, search: str | None = None, *, light: bool = False
    ) -> Sequence[TrialRow]:
        """Its trials, retrainings included; or those of a search. `light`: without what no report shows."""

    def openings(self, campaign: str, /) -> Sequence[OpeningRow]:
        """Its openings of the test set, the oldest first."""

    def transfer_openings(self, campaign: str, /) -> Sequence[OpeningRow]:
        """Its openings of the test sets of other datasets, the oldest first."""

    def deleted_looks(self, data: str, /) -> int:
        """How often deleted campaigns have opened the test set of the data with that digest."""

    def memory(self, campaign: str, /) -> CampaignMemory | None:
        """What it remembers of earlier campaigns."""

    def reports(self, *, search: str) -> Mapping[str, Sequence[ReportRow]]:
        """By trial of a search, what it reported."""

    def finished_before(self, campaign: CampaignRow, /) -> CampaignRow | None:
        """The latest campaign of the same study that had finished when this one did."""

    def results(self, wanted: Iterable[str], /) -> Mapping[str, CampaignResults]:
        """By campaign, what its searches have found."""
