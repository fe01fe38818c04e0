"""A campaign as others see it: its study, data and arms, read without each of its trials."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from automl.contracts import Metric, TrialState
from automl.report.arms import ArmReport, arm_order, arm_report
from automl.report.searches import SearchReport, TrialCounts, search_report
from automl.report.settings import StudySettings

if TYPE_CHECKING:
    from automl.ledger.results import CampaignResults
    from automl.ledger.rows import CampaignRow, SearchRow
    from automl.report.records import Records


@dataclass(frozen=True)
class Standing:
    """A campaign with its study as the ledger has it. `status`: running, finished or interrupted."""

    campaign: str
    study: str
    status: str
    settings: StudySettings
    spec: Mapping[str, Any]
    provenance: Mapping[str, Any]
    created_at: float
    arms: Mapping[str, ArmReport]
    test_openings: int

    @property
    def metric(self) -> Metric:
        """The metric that arms are compared by."""
        return self.settings.metrics[0]

    @property
    def by_folds(self) -> bool:
        """Whether means over folds choose the winner, as in `CampaignReport`."""
        return self.settings.cross_validates and "identity" in self.provenance

    @property
    def data(self) -> str | None:
        """The digest of the campaign's data; None where none was noted."""
        noted = self.provenance.get("data")
        return noted.get("digest") if isinstance(noted, dict) else None


def standing(row: CampaignRow, status: str, arms: Mapping[str, ArmReport], openings: int) -> Standing:
    """The standing of a campaign whose arms are known. Raises `RunError` when its study is not whole."""
    settings = StudySettings.from_json(row.spec)
    return Standing(
        row.id, row.study, status, settings, row.spec, row.provenance, row.created_at, arms, openings
    )


def standings(ledger: Records, rows: Sequence[CampaignRow]) -> list[Standing]:
    """The standings of campaigns, in the order of `rows`. Their arms have no anytime curves."""
    results = ledger.results(row.id for row in rows)
    return [_standing(ledger, row, results[row.id]) for row in rows]


def _standing(ledger: Records, row: CampaignRow, results: CampaignResults) -> Standing:
    study = StudySettings.from_json(row.spec)
    by_arm: dict[str, list[SearchReport]] = defaultdict(list)
    for search in sorted(results.searches, key=lambda search: search.seed):
        by_arm[search.arm].append(_search(ledger, study, search, results))
    names = arm_order(study, by_arm)
    arms = {name: arm_report(study, name, by_arm[name]) for name in names}
    openings = sum(map(len, results.openings.values()))
    return standing(row, ledger.status(row), arms, openings)


def _search(
    ledger: Records, study: StudySettings, search: SearchRow, results: CampaignResults
) -> SearchReport:
    direction, openings = study.metrics[0].direction, results.openings.get(search.id, [])
    report = search_report(search, results.trials.get(search.id, []), openings, direction)
    if report.best is None and search.winner is not None:  # its value cannot be computed with
        report = search_report(search, ledger.trials(search=search.id), openings, direction)
    totals = [total for total in results.totals.get(search.id, []) if total.kind == "trial"]
    counts = {state.value: 0 for state in TrialState} | {total.state.value: total.count for total in totals}
    return replace(
        report,
        trials=TrialCounts(**counts),
        device_seconds=sum(total.device_seconds for total in totals),
        anytime=(),
    )
