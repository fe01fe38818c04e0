"""From a study to its searches: the settings of each, and its state as the ledger has it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from automl import plugins
from automl.campaign.clock import CampaignClock
from automl.campaign.live import LiveSearch
from automl.campaign.refitting import refit_ratio
from automl.campaign.search import Search
from automl.campaign.settings import SearchSettings
from automl.campaign.simulated import ReplaySearch
from automl.collecting import seldom
from automl.config import ResolvedArm, ResolvedStudy
from automl.contracts import CampaignMemory, Replay, SearchMemory, Task, TrialState, UserError, digest
from automl.files import below, campaign_url
from automl.ledger import CampaignRow, Ledger, SearchRow, TrialRow
from automl.signs import last_signs
from automl.space import Space
from automl.stopping import may_go_on
from automl.strategies.searcher import Searcher


def check_data(resolved: ResolvedStudy, task: Task | None) -> None:
    """Raise `UserError` for arms whose evaluators, or those that their strategy may name, refuse the data.

    Arms that evaluate alike are checked once: a check may build and run a network.
    """
    if task is None:
        return
    mistakes: defaultdict[str, list[str]] = defaultdict(list)
    answers: dict[str, str] = {}
    for name, arm in resolved.arms.items():
        if arm.space is None:
            continue
        alike = digest([asdict(arm.evaluator_spec), arm.space_spec, list(map(asdict, arm.named_evaluators))])
        if alike not in answers:
            answers[alike] = _refusal(resolved, arm, arm.space, task)
        if answers[alike]:
            mistakes[answers[alike]].append(f"arms.{name}")
    if mistakes:
        raise UserError("\n".join(f"{', '.join(arms)}: {text}" for text, arms in mistakes.items()))


def _refusal(resolved: ResolvedStudy, arm: ResolvedArm, space: Space, task: Task) -> str:
    """Why the evaluators of an arm refuse the data; "" when they do not."""
    try:
        arm.evaluator.check_data(task, space, resolved.protocol)
        for spec in arm.named_evaluators:
            plugins.build("evaluators", spec).check_data(task, space, arm.evaluator)
    except UserError as error:
        return str(error)
    return ""


@seldom()
def plan_searches(
    resolved: ResolvedStudy, row: CampaignRow, ledger: Ledger, folder: Path, clock: CampaignClock
) -> list[Search]:
    """All searches of a campaign, restored from the ledger; trials work in folders below `folder`.

    Those of its study, and those that the ledger has besides: added until every arm is decided.
    """
    study = resolved.study
    wanted = [(name, seed) for seed in study.seeds for name in study.arms]
    added = [(search.arm, search.seed) for search in ledger.searches(row.id)]
    rows = ledger.add_searches(row.id, list(dict.fromkeys([*wanted, *added])))
    in_memory = row.summary.record == "searches"
    memory = ledger.memory(row.id) or CampaignMemory()
    begun = ledger.first_starts(row.id)
    ended = ledger.attempts(row.id, running=True)
    signs = last_signs(folder, row.token)
    searches: list[Search] = []
    for search_row, own in zip(rows, ledger.trials_of([each.id for each in rows]), strict=True):
        arm = resolved.arms[search_row.arm]
        settings = _settings(resolved, arm, folder / f"{search_row.arm}-{search_row.seed}", row)
        reopens = row.state == "running" and row.has_grown and arm.name not in study.retired
        settings = replace(settings, reopens=reopens)
        if in_memory and arm.evaluator.simulated and not arm.named_evaluators:
            replay = replace(_replay(arm, search_row, settings, own), memory=memory.of(arm.name))
            replayed = ReplaySearch(search_row, settings, ledger, replay)
            replayed.restore(own)
            searches.append(replayed)
        else:
            searcher = _searcher(resolved, arm, search_row.seed, memory.of(arm.name))
            search = LiveSearch(search_row, settings, ledger, searcher, clock)
            needed = [trial.id for trial in own if search.needs_reports(trial)]
            reports = ledger.reports(trials=needed) if needed else {}
            search.restore(own, reports, ended, signs, begun.get(search_row.id, math.inf))
            searches.append(search)
    return searches


def _replay(arm: ResolvedArm, row: SearchRow, settings: SearchSettings, trials: Sequence[TrialRow]) -> Replay:
    cut = [trial for trial in trials if trial.state is TrialState.PRUNED and may_go_on(trial.reason)]
    return Replay(
        strategy=arm.strategy_spec,
        pruner=arm.pruner_spec,
        seed=row.seed,
        budget=settings.budget,
        trials=settings.trials,
        finals=settings.finals,
        top=settings.top,
        least=settings.least,
        cut={str(trial.number): trial.device_seconds for trial in cut},
    )


def _settings(resolved: ResolvedStudy, arm: ResolvedArm, workdir: Path, row: CampaignRow) -> SearchSettings:
    study = resolved.study
    device_seconds, wall_seconds = study.budget.device_seconds, study.budget.wall_seconds
    if arm.evaluator.simulated and wall_seconds is not None:  # one trial after the other, by that clock
        device_seconds = min(device_seconds or math.inf, wall_seconds * arm.held.devices)
        wall_seconds = None
    storage = resolved.storage and campaign_url(resolved.storage, row.id, row.created_at)
    return SearchSettings(
        metrics=study.task.metrics,
        constraints={name: bounds.model_dump() for name, bounds in study.constraints.items()},
        space=arm.space_spec,
        task=study.task.model_dump(mode="json"),
        evaluator=arm.evaluator_spec,
        protocol=study.evaluator,
        finals=study.final.seeds,
        top=study.final.top,
        transfer={one.name: one.task(study.task).model_dump(mode="json") for one in study.transfer},
        workdir=workdir,
        storage=storage and below(storage, workdir.name),
        import_path=[study.source],
        cpus=arm.held.cpus,
        gpus=arm.held.gpus,
        ranks=arm.held.ranks,
        deadline=arm.evaluator.options.deadline,
        final_deadline=resolved.protocol.options.deadline,
        budget=device_seconds,
        wall_seconds=wall_seconds,
        trials=study.budget.trials,
        least=arm.evaluator.least_cost(),
        share=study.trial.share if arm.strategy else 1.0,
        memory=study.trial.memory,
        retry=study.retry,
        fixed=arm.fixed,
        learns=arm.strategy is not None and arm.strategy.learns,
        simulated=arm.evaluator.simulated,
        returns_early=arm.evaluator.returns_early,
        cross_validates=arm.evaluator.cross_validates,
        combined=0 if arm.evaluator.one_shot else arm.evaluator.combined(),
        refit=refit_ratio(resolved) if study.final.refit else 0.0,
    )


def _searcher(
    resolved: ResolvedStudy, arm: ResolvedArm, seed: int, memory: SearchMemory | None
) -> Searcher | None:
    if arm.strategy_spec is None or arm.space is None:
        return None
    metrics = resolved.study.task.metrics
    searcher = Searcher.build(arm.space, arm.strategy_spec, arm.pruner_spec, metrics, seed)
    searcher = searcher.with_constraints(resolved.study.constraints)
    return searcher.with_memory(memory).with_default(resolved.rows)
