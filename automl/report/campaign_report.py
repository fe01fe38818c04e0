"""All that a report says about a campaign, as one typed object, and its JSON (`automl report --json`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from automl.contracts import Metric
from automl.report.against import Against
from automl.report.arms import ArmReport
from automl.report.chosen import Chosen, choose
from automl.report.collapse import OneShotSearch
from automl.report.comparison import ArmComparison
from automl.report.constrained import Constrained
from automl.report.evaluations import Evaluation, ParetoPoint
from automl.report.failures import Failure
from automl.report.few_shot import FewShotArm
from automl.report.plain import plain
from automl.report.proxy_ranking import ProxyRank
from automl.report.ranking import places
from automl.report.reevaluated import Reevaluated
from automl.report.remembered import RememberedReport
from automl.report.rung_ranking import PrunedArm
from automl.report.searches import SearchReport
from automl.report.settings import StudySettings
from automl.report.transferred import Transferred
from automl.report.wording import Units

LATER: Final = ("refit", "intervals", "sets", "deciding")  # keys of a search in the JSON, where it has them
ADDED: Final = ("pairs", "places", "optimism", "reevaluated")  # behind the older keys of the JSON


@dataclass(frozen=True)
class CampaignReport:
    """A campaign, finished or not. Costs are device-seconds, values are in the metrics' own units.

    `status`: running, finished or interrupted. `arms`: in the order of the study. `evaluations`: every trial.
    `rungs`: of every arm that prunes. `collapse`: of every one-shot search. `few_shot`: of every arm of a
    few-shot study. `proxies`: of every zero-cost proxy that was recorded. `importance`: shares of parameters.
    `reason`: the limit of the campaign that ended it early. `remembered`: of earlier campaigns. `last`: a
    finished campaign against the last finished one before it. `reevaluated`: of each search, what selected
    its winner; empty where the best one of the search wins. `transfers`: winners on other datasets.
    `constraints`: of a study that has any.
    """

    study: str
    campaign: str
    status: str
    settings: StudySettings
    created_at: float
    finished_at: float | None
    provenance: Mapping[str, JsonValue]
    arms: Mapping[str, ArmReport]
    comparison: ArmComparison
    test_openings: int
    evaluations: tuple[Evaluation, ...]
    pareto: tuple[ParetoPoint, ...]
    failures: tuple[Failure, ...]
    rungs: tuple[PrunedArm, ...]
    collapse: tuple[OneShotSearch, ...]
    few_shot: tuple[FewShotArm, ...]
    proxies: tuple[ProxyRank, ...]
    importance: Mapping[str, float]
    warnings: tuple[str, ...]
    reason: str | None = None
    remembered: RememberedReport | None = None
    last: Against | None = None
    reevaluated: tuple[Reevaluated, ...] = ()
    transfers: tuple[Transferred, ...] = ()
    constraints: tuple[Constrained, ...] = ()

    @property
    def metric(self) -> Metric:
        """The metric that arms are compared by."""
        return self.settings.metrics[0]

    @property
    def units(self) -> Units:
        """The units of that metric, for people."""
        searches = [search for arm in self.arms.values() for search in arm.searches]
        bests = [search.best.value for search in searches if search.best]
        retrained = [value for search in searches for value in (*search.fresh, *search.test)]
        return Units.of(self.metric.name, [*bests, *retrained])

    @property
    def ranked(self) -> tuple[ArmReport, ...]:
        """The arms, best first."""
        return tuple(self.arms[name] for name in self.comparison.ranking)

    @property
    def ranked_few_shot(self) -> tuple[FewShotArm, ...]:
        """The entries of few-shot arms, best arm first."""
        order = {name: place for place, name in enumerate(self.comparison.ranking)}
        return tuple(sorted(self.few_shot, key=lambda entry: order.get(entry.arm, len(order))))

    @property
    def chosen(self) -> Chosen | None:
        """The winner that is exported, once the campaign is finished."""
        if self.status != "finished":
            return None
        return choose(self.arms.values(), self.metric.direction, folds=self.by_folds)

    @property
    def by_folds(self) -> bool:
        """Whether means over folds choose the winner; campaigns of versions without that rule keep theirs."""
        return self.settings.cross_validates and "identity" in self.provenance

    @property
    def most_seeds(self) -> int:
        """The largest number of seeds that an arm has."""
        return max((len(arm.searches) for arm in self.arms.values()), default=0)

    @property
    def openings(self) -> int | None:
        """How often the test set was opened; None for a study without a dataset."""
        return self.test_openings if self.settings.dataset else None

    def answers(self) -> dict[str, JsonValue]:
        """What the comparison says, as plain JSON: verdicts, ranking, and the optimism of each arm."""
        comparison = self.comparison
        return {
            "compared": comparison.compared,
            "verdicts": plain(comparison.verdicts),
            "ranking": plain(comparison.ranking),
            "pairs": plain(comparison.pairs),
            "places": plain(places(comparison)),
            "optimism": plain(comparison.optimism),
            **({"reevaluated": plain(self.reevaluated)} if self.reevaluated else {}),
        }

    def to_json(self) -> dict[str, JsonValue]:
        """Plain JSON, without NaN and infinity."""
        settings, comparison = self.settings, self.comparison
        return {
            "study": self.study,
            "campaign": self.campaign,
            "status": self.status,
            "metric": self.metric.name,
            "direction": self.metric.direction.value,
            "budget": plain(settings.budget),
            "metrics": plain(settings.metrics),
            "dataset": settings.dataset,
            "space": plain(settings.space),
            "created_at": self.created_at,
            "finished_at": self.finished_at,
            "provenance": plain(self.provenance),
            "arms": {name: [_search(one) for one in arm.searches] for name, arm in self.arms.items()},
            "compared": comparison.compared,
            "verdicts": plain(comparison.verdicts),
            "summary": plain(comparison.summary),
            "ranking": plain(comparison.ranking),
            "test_openings": self.test_openings,
            "arm_info": {name: plain(arm.info) for name, arm in self.arms.items()},
            "pareto": plain(self.pareto),
            "failures": plain(self.failures),
            "evaluations": plain(self.evaluations),
            "rungs": {arm.arm: plain(arm.rungs) for arm in self.rungs},
            "health": plain(self.collapse),
            "meta": plain(self.few_shot),
            "proxies": plain(self.proxies),
            "importance": plain(self.importance),
            "warnings": plain(self.warnings),
            **{key: answer for key, answer in self.answers().items() if key in ADDED},
            **({"reason": self.reason} if self.reason else {}),
            **({"remembered": plain(self.remembered)} if self.remembered else {}),
            **({"last": plain(self.last)} if self.last else {}),
            **({"transfers": plain(self.transfers)} if self.transfers else {}),
            **({"constraints": plain(self.constraints)} if self.constraints else {}),
        }


def _search(one: SearchReport) -> JsonValue:
    """A search without the keys `LATER` that are none, as before there were any."""
    found = plain(one)
    assert isinstance(found, dict)
    return {key: value for key, value in found.items() if key not in LATER or value is not None}
