"""From a campaign's rows in the ledger to its report."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from automl.collecting import seldom
from automl.contracts import UserError
from automl.report.against import against_last
from automl.report.arms import ArmReport, arm_order, arm_report
from automl.report.campaign_report import CampaignReport
from automl.report.collapse import one_shot_searches
from automl.report.comparison import compare_arms
from automl.report.constrained import constrained
from automl.report.evaluations import Trials, evaluations, pareto
from automl.report.failures import failures
from automl.report.few_shot import few_shot_arms
from automl.report.importance import importances
from automl.report.proxy_ranking import proxies
from automl.report.records import Records
from automl.report.reevaluated import Reevaluated, of_campaign, unselected
from automl.report.remembered import remembered
from automl.report.rung_ranking import pruned_arms
from automl.report.searches import SearchReport, search_report
from automl.report.settings import StudySettings
from automl.report.transferred import Transferred, transferred
from automl.report.transferred_shown import missing
from automl.report.verdicts import ArmVerdict
from automl.report.warnings import accepted, grown, limit, seen_by_deleted, warnings

if TYPE_CHECKING:
    from automl.ledger.rows import CampaignRow, OpeningRow, SearchRow, TrialRow


@seldom()
def collect(ledger: Records, campaign_id: str) -> CampaignReport:
    """The report of a campaign, finished or not. Raises `UserError` for an unknown campaign."""
    campaign = ledger.campaign(campaign_id)
    if campaign is None:
        raise UserError(f"a report needs a campaign that is in the store, but got {campaign_id!r}")
    study, status = StudySettings.from_json(campaign.spec), ledger.status(campaign)
    trials: dict[str, list[TrialRow]] = defaultdict(list)
    for trial in ledger.trials(campaign=campaign.id, light=True):
        trials[trial.search].append(trial)
    openings = ledger.openings(campaign.id)
    searches = sorted(ledger.searches(campaign.id), key=lambda search: search.seed)
    arms, again = _arms(study, searches, trials, openings), of_campaign(searches, trials, study)
    every_trial, pruned = evaluations(searches, trials), pruned_arms(ledger, study, searches, trials)
    comparison = compare_arms(list(arms.values()), study, finished=status == "finished")
    others = transferred(ledger, campaign.id, study, arms, searches, trials, finished=status == "finished")
    return CampaignReport(
        study=campaign.study,
        campaign=campaign.id,
        status=status,
        settings=study,
        created_at=campaign.created_at,
        finished_at=campaign.finished_at,
        provenance=campaign.provenance,
        arms=arms,
        comparison=comparison,
        test_openings=len(openings),
        evaluations=every_trial,
        pareto=pareto(searches, trials, [other.direction for other in study.metrics]),
        failures=failures(searches, trials),
        rungs=pruned,
        collapse=one_shot_searches(ledger, study, searches, trials),
        few_shot=few_shot_arms(study, searches, trials, openings),
        proxies=proxies(searches, trials, arms, study.metrics[0].direction),
        importance=importances(every_trial, arms, study.metrics[0].direction),
        warnings=warnings(study, status, arms, pruned, _told(ledger, campaign, again, others)),
        reason=campaign.reason,
        remembered=remembered(ledger.memory(campaign.id), arms, comparison, study.metrics[0]),
        last=against_last(ledger, campaign, arms) if status == "finished" else None,
        reevaluated=again,
        transfers=others,
        constraints=constrained(study.constraints, study.metrics, searches, trials, arms),
    )


def _told(
    ledger: Records,
    campaign: CampaignRow,
    again: Sequence[Reevaluated],
    others: Sequence[Transferred],
) -> tuple[str, ...]:
    """What is known of the campaign as a whole."""
    origin = campaign.provenance
    data = (origin.get("data") or {}).get("digest")
    looks = ledger.deleted_looks(data) if data else 0
    told = (*limit(campaign.reason), *accepted(origin), *grown(origin), *seen_by_deleted(looks))
    finished = campaign.state == "finished"
    return (*told, *unselected(again, finished=finished), *missing(others, finished=finished))


def settled_verdicts(report: CampaignReport) -> tuple[ArmVerdict, ...]:
    """The verdicts as if the campaign ended now: a value that is missing will not come."""
    return compare_arms(list(report.arms.values()), report.settings, finished=True).verdicts


def _arms(
    study: StudySettings, searches: Sequence[SearchRow], trials: Trials, openings: Sequence[OpeningRow]
) -> dict[str, ArmReport]:
    """Every arm of the study, also one that has no search yet."""
    by_arm: dict[str, list[SearchReport]] = defaultdict(list)
    metric = study.metrics[0]
    for search in searches:
        opened = [opening for opening in openings if opening.search == search.id]
        report = search_report(search, trials[search.id], opened, metric.direction, metric.name)
        by_arm[search.arm].append(report)
    names = arm_order(study, [search.arm for search in searches])
    return {name: arm_report(study, name, by_arm[name]) for name in names}
