"""A campaign's ledger rows as the plain data that `automl report --json` prints.

Costs are device-seconds, values are in the metrics' own units, and the first metric of a study is the
one compared. Everything is plain JSON: no NaN, no infinity.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from automl.contracts import Direction, UserError
from automl.report.collapse import health
from automl.report.comparison import comparison
from automl.report.details import evaluations, failures, importances, pareto, warnings
from automl.report.meta import meta
from automl.report.proxy_ranking import proxies
from automl.report.rung_ranking import rungs
from automl.report.searches import search_entry

if TYPE_CHECKING:
    from automl.ledger.ledger import Ledger
    from automl.ledger.rows import CampaignRow, TrialRow


def collect(ledger: Ledger, campaign_id: str) -> dict[str, Any]:
    """The report of a campaign, finished or not. Raises `UserError` for an unknown campaign.

    Besides the documented keys: `compared` (what the verdicts compare: test, fresh or validation),
    `summary` (mean, standard deviation and n over seeds), `ranking` (arms, best first), `metrics`,
    `arm_info`, `pareto`, `failures`, `evaluations` (every trial), `rungs` (by pruning arm: whether the
    values it prunes by rank trials as the final ones do), `proxies` (rank correlations of
    zero-cost proxies with the final values), `health` (of every one-shot search: did it
    collapse, by which alarm, what was done), `meta` (of every arm of a few-shot study: values on new
    tasks with intervals, meta-overfitting, steps of adaptation), `importance`, `warnings`.
    """
    campaign = ledger.campaign(campaign_id)
    if campaign is None:
        raise UserError(f"a report needs a campaign that is in the store, but got {campaign_id!r}")
    metrics = campaign.spec["task"]["metrics"]
    directions = [Direction(metric["direction"]) for metric in metrics]
    trials: dict[str, list[TrialRow]] = defaultdict(list)
    for trial in ledger.trials(campaign=campaign.id):
        trials[trial.search].append(trial)
    openings = ledger.openings(campaign.id)
    searches = sorted(ledger.searches(campaign.id), key=lambda search: search.seed)
    arms: dict[str, list[dict[str, Any]]] = {
        arm: [] for arm in _arm_order(campaign.spec, [search.arm for search in searches])
    }
    for search in searches:
        own = [opening for opening in openings if opening.search == search.id]
        arms[search.arm].append(search_entry(search, trials[search.id], own, directions[0]))
    data = _header(campaign, ledger.status(campaign))
    data |= {"arms": arms}
    data |= comparison(arms, data["metric"], directions[0], finished=data["status"] == "finished")
    data |= {
        "test_openings": len(openings),
        "arm_info": {arm: _arm_info(campaign.spec, arm) for arm in arms},
        "pareto": pareto(searches, trials, directions),
        "failures": failures(searches, trials),
        "evaluations": evaluations(searches, trials),
        "rungs": rungs(ledger, campaign.spec, searches, trials),
        "health": health(ledger, campaign.spec, searches, trials),
        "meta": meta(campaign.spec, searches, trials, openings),
    }
    data["proxies"] = proxies(searches, trials, data["arm_info"], directions[0])
    data["importance"] = importances(data, directions[0])
    data["warnings"] = warnings(data, campaign.spec)
    return {key: _plain(value) for key, value in data.items()}


def _header(campaign: CampaignRow, status: str) -> dict[str, Any]:
    task = campaign.spec["task"]
    return {
        "study": campaign.study,
        "campaign": campaign.id,
        "status": status,
        "metric": task["metrics"][0]["name"],
        "direction": task["metrics"][0]["direction"],
        "budget": campaign.spec["budget"],
        "metrics": task["metrics"],
        "dataset": task.get("dataset"),
        "space": campaign.spec.get("space"),
        "created_at": campaign.created_at,
        "finished_at": campaign.finished_at,
        "provenance": campaign.provenance,
    }


def _arm_order(spec: Mapping[str, Any], started: Sequence[str]) -> list[str]:
    """Arms as the study lists them; then any other that has a search."""
    return list(dict.fromkeys([*spec["arms"], *started]))


def _arm_info(spec: Mapping[str, Any], arm: str) -> dict[str, Any]:
    """What an arm is; `shared`: it proposes configurations of the study's own space and evaluator."""
    own = spec["arms"].get(arm, {})
    names = {part: (own.get(part) or {}).get("name") for part in ("strategy", "pruner", "evaluator")}
    reference = own.get("reference")
    kind = "reference" if reference else "strategy" if names["strategy"] else names["evaluator"]
    shared = not reference and own.get("space") in (None, spec.get("space"))
    shared = shared and _without_rungs(own.get("evaluator")) in (None, _without_rungs(spec.get("evaluator")))
    return {**names, "reference": reference, "kind": kind, "shared": shared}


def _without_rungs(evaluator: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """An evaluator but for the rungs that it was told of: they come with an arm's pruner."""
    if evaluator is None:
        return None
    options = {key: value for key, value in evaluator["options"].items() if key != "rungs"}
    return {**evaluator, "options": options}


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
