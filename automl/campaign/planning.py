"""From a study to its searches: what each is told, and what the ledger already has of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from automl import plugins
from automl.campaign.plan import Plan
from automl.campaign.search import Search
from automl.config import Arm, Study
from automl.contracts import Config, Executor, PluginSpec
from automl.ledger import CampaignRow, Ledger
from automl.strategies.searcher import Searcher

DEADLINE = 3600.0  # wall seconds of a trial whose evaluator has no such option


def plan_searches(
    study: Study, row: CampaignRow, ledger: Ledger, executor: Executor, folder: Path
) -> list[Search]:
    """All searches of a campaign, restored from the ledger; trials work in folders below `folder`."""
    trials = ledger.trials(campaign=row.id)
    reports = ledger.reports(campaign=row.id) if trials else {}
    searches = []
    for seed in study.seeds:
        for name, arm in study.arms.items():
            plan = _plan(study, arm, executor, folder / f"{name}-{seed}")
            search_row = ledger.add_search(row.id, name, seed)
            search = Search(search_row, plan, ledger, _searcher(study, arm, seed))
            own = [trial for trial in trials if trial.search == search_row.id]
            search.restore(own, reports, row.heartbeat_at)
            searches.append(search)
    return searches


def _plan(study: Study, arm: Arm, executor: Executor, workdir: Path) -> Plan:
    evaluator = arm.evaluator or study.evaluator
    space, fixed = _space(study, arm)
    budget, devices = study.budget, executor.gpus or executor.cpus
    limits = [budget.device_seconds, budget.wall_seconds and budget.wall_seconds * devices]
    return Plan(
        metrics=study.task.metrics,
        space=space,
        task=study.task.model_dump(mode="json"),
        evaluator=evaluator,
        protocol=study.evaluator,
        finals=study.final.seeds,
        workdir=workdir,
        import_path=[study.source],
        cpus=executor.cpus,
        gpus=executor.gpus,
        deadline=_deadline(evaluator),
        final_deadline=_deadline(study.evaluator),
        budget=min((limit for limit in limits if limit), default=None),
        trials=budget.trials,
        fixed=fixed,
    )


def _space(study: Study, arm: Arm) -> tuple[dict[str, Any], Config | None]:
    """The space of an arm, and its one configuration when it has no strategy."""
    if arm.reference is not None:
        return {"name": arm.reference}, plugins.load("spaces", arm.reference).default_config()
    space = arm.space or study.space
    return space.model_dump(mode="json") if space else {}, None if arm.strategy else {}


def _searcher(study: Study, arm: Arm, seed: int) -> Searcher | None:
    if arm.strategy is None:
        return None
    space = plugins.load_space(_space(study, arm)[0])
    return Searcher(space, arm.strategy, arm.pruner, study.task.metrics, seed)


def _deadline(evaluator: PluginSpec) -> float:
    """Wall seconds that a trial may take."""
    options = plugins.load("evaluators", evaluator.name).Options(**evaluator.options)
    return float(getattr(options, "deadline", DEADLINE))
