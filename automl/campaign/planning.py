"""From a study to its searches: what each is told, and what the ledger already has of it."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from automl import plugins
from automl.campaign.plan import Plan
from automl.campaign.search import Search
from automl.campaign.simulated import AnySearch, ReplaySearch, is_simulated
from automl.config import Arm, Study
from automl.contracts import Config, Executor, PluginSpec, Replay, Task, UserError
from automl.executors.worker import build_evaluator
from automl.ledger import CampaignRow, Ledger, SearchRow, TrialRow
from automl.strategies.searcher import Searcher

DEADLINE = 3600.0  # wall seconds of a trial whose evaluator has no such option


def check_data(study: Study, task: Task | None) -> None:
    """Raise `UserError` for arms whose evaluator says (`check_data`) that it cannot do with the data.

    And for those whose strategy screens by a `proxy` that cannot score the networks.
    """
    mistakes = []
    for name, arm in study.arms.items():
        evaluator: Any = build_evaluator(arm.evaluator or study.evaluator)
        if not hasattr(evaluator, "check_data") or task is None:
            continue
        space = plugins.load_space(_space(study, arm)[0])
        proxy = getattr(plugins.build("strategies", arm.strategy), "proxy", None) if arm.strategy else None
        try:
            evaluator.check_data(task, space)
            if proxy is not None:
                from automl.training.rehearsal import rehearse  # imports torch

                rehearse(evaluator.options, task, space, [proxy])
        except UserError as error:
            mistakes.append(f"arms.{name}: {error}")
    if mistakes:
        raise UserError("\n".join(mistakes))


def plan_searches(
    study: Study, row: CampaignRow, ledger: Ledger, executor: Executor, folder: Path
) -> list[AnySearch]:
    """All searches of a campaign, restored from the ledger; trials work in folders below `folder`."""
    trials: defaultdict[str, list[TrialRow]] = defaultdict(list)
    for trial in ledger.trials(campaign=row.id):
        trials[trial.search].append(trial)
    rows = ledger.add_searches(row.id, [(name, seed) for seed in study.seeds for name in study.arms])
    in_memory = row.spec.get("record") == "searches"
    searches: list[AnySearch] = []
    live = []
    for search_row in rows:
        arm, own = study.arms[search_row.arm], trials[search_row.id]
        plan = _plan(study, arm, executor, folder / f"{search_row.arm}-{search_row.seed}")
        if in_memory and is_simulated(plan.evaluator):
            replayed = ReplaySearch(search_row, plan, ledger, _replay(arm, search_row, plan))
            replayed.restore(own)
            searches.append(replayed)
        else:
            search = Search(search_row, plan, ledger, _searcher(study, arm, search_row.seed))
            live.append(search)
            searches.append(search)
    reports = ledger.reports(campaign=row.id) if live and trials else {}
    for search in live:
        search.restore(trials[search.row.id], reports, row.heartbeat_at)
    return searches


def _replay(arm: Arm, row: SearchRow, plan: Plan) -> Replay:
    return Replay(arm.strategy, arm.pruner, row.seed, plan.budget, plan.trials, plan.finals)


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
