"""Builds the memory of a new campaign from the ledger: what fits the space, the best of it, the trials."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from automl.config import Memory, ResolvedArm, ResolvedStudy
from automl.contracts import (
    ArmMemory,
    CampaignMemory,
    Config,
    Direction,
    EarlierTrial,
    MemorySource,
    TrialState,
    UserError,
)
from automl.identity import Identity
from automl.ledger import Ledger, TrialRow
from automl.provenance import DataIdentity
from automl.remembering.choosing import Candidate, Present, choose, evaluators
from automl.remembering.fitting import fitted
from automl.space import Space

LARGEST: Final = 300  # trials that are kept as history of one space, all sources together


@dataclass(frozen=True)
class _Tried:
    """A configuration of one source with the means of its values. `as_it_was`: nothing of it was changed."""

    config: Config
    values: list[float]
    as_it_was: bool


@dataclass(frozen=True)
class _Source:
    about: MemorySource
    tried: list[_Tried]  # the best first


def remember(
    ledger: Ledger, resolved: ResolvedStudy, data: DataIdentity | None, now: Identity
) -> CampaignMemory | None:
    """What a new campaign of a study remembers, by arm; None when none of its arms has a memory.

    Raises `UserError` for a campaign or study that the file names and that cannot be remembered.
    """
    plans: list[ArmMemory] = []
    places: dict[str, int] = {}
    arms: dict[str, int] = {}
    history: list[str] = []
    for name, arm in resolved.arms.items():
        if arm.memory is None or arm.space is None:
            continue
        present = Present(
            study=resolved.study.name,
            metrics=tuple(resolved.study.task.metrics),
            data=data,
            evaluator=arm.evaluator_spec,
            code=now.code,
            version=now.version,
        )
        alike = json.dumps(
            [
                arm.memory.model_dump(mode="json"),
                arm.space_spec,
                arm.evaluator_spec.name,
                arm.evaluator_spec.options,
            ],
            sort_keys=True,
        )
        if alike not in places:
            places[alike] = len(plans)
            plans.append(_plan(ledger, arm, arm.memory, arm.space, present))
        arms[name] = places[alike]
        if arm.strategy is not None and arm.strategy.remembers == "history":
            history.append(name)
    used = {arms[name] for name in history}
    plans = [plan if i in used else replace(plan, trials=[], left_out=0) for i, plan in enumerate(plans)]
    return CampaignMemory(plans, arms, history) if arms else None


def _plan(ledger: Ledger, arm: ResolvedArm, memory: Memory, space: Space, present: Present) -> ArmMemory:
    choice = choose(ledger, memory, present)
    converted: Counter[str] = Counter()
    dropped: Counter[str] = Counter()
    sources = []
    for candidate in choice.chosen:
        source = _source(ledger, candidate, space, present, (converted, dropped))
        if not source.tried and isinstance(memory.source, list):
            why = "; ".join(f"{count} because {reason}" for reason, count in dropped.most_common(3))
            raise UserError(
                f"memory.from: {candidate.row.id} must have configurations that fit the space of the arm "
                f"{arm.name}, but has none: {why or 'no trial is complete'}; remove the name"
            )
        sources.append(source)
    trials = [
        trial for place, source in enumerate(sources) for trial in _history(source, place, len(sources))
    ]
    whole = sum(one.as_it_was for source in sources for one in source.tried)
    return ArmMemory(
        sources=[source.about for source in sources],
        first=_first(space, sources, memory.top),
        trials=trials,
        converted=dict(converted),
        dropped=dict(dropped),
        left_out=whole - len(trials),
        passed_over=choice.passed_over,
    )


def _source(
    ledger: Ledger,
    candidate: Candidate,
    space: Space,
    present: Present,
    counts: tuple[Counter[str], Counter[str]],
) -> _Source:
    """The trials of a campaign in the present space; what was converted and dropped is added to `counts`."""
    converted, dropped = counts
    row, rows = candidate.row, ledger.trials(campaign=candidate.row.id, light=True)
    measured = evaluators(row.spec)
    arms = {search.id: search.arm for search in ledger.searches(row.id)}
    found: dict[str, list[_Tried]] = {}
    alike = _alike(candidate, present)
    for trial in rows:
        if trial.kind != "trial" or trial.state is not TrialState.COMPLETE or trial.values is None:
            continue
        evaluator = measured.get(arms[trial.search])
        if evaluator is None or evaluator.name != present.evaluator.name:
            dropped["it was measured by another evaluator"] += 1
            continue
        fit = fitted(space, trial.derived or trial.config)
        if fit.config is None:
            dropped[fit.reason] += 1
            continue
        if fit.reason:
            converted[fit.reason] += 1
        alike = alike and evaluator == present.evaluator
        tried = _Tried(fit.config, trial.values, as_it_was=not fit.reason)
        found.setdefault(space.digest(fit.config), []).append(tried)
    ranked = _ranked([_mean(same) for same in found.values()], present)
    about = MemorySource(
        campaign=row.id,
        data=candidate.data,
        distance=None if candidate.distance is None else round(candidate.distance, 4),
        comparable=alike,
        trials=len(ranked),
        device_seconds=_cost(rows),
    )
    return _Source(about, ranked)


def _alike(candidate: Candidate, present: Present) -> bool:
    """Whether values are of the same data, code and version; the evaluator is compared trial by trial."""
    known = candidate.origin.identity
    return not candidate.distance and (known.get("code"), known.get("version")) == (
        present.code,
        present.version,
    )


def _cost(rows: Sequence[TrialRow]) -> float:
    return round(sum(row.device_seconds for row in rows if row.kind == "trial"), 3)


def _mean(same: Sequence[_Tried]) -> _Tried:
    """Evaluations of one configuration as one, so that a lucky one counts for less."""
    exact = [one for one in same if one.as_it_was] or list(same)
    values = [statistics.fmean(column) for column in zip(*(one.values for one in exact), strict=True)]
    return _Tried(exact[0].config, values, exact[0].as_it_was)


def _ranked(tried: Sequence[_Tried], present: Present) -> list[_Tried]:
    """The best first: those that fewer others dominate, then by the primary metric."""
    signs = [-1.0 if metric.direction is Direction.MAXIMIZE else 1.0 for metric in present.metrics]
    losses = [[sign * value for sign, value in zip(signs, one.values, strict=True)] for one in tried]

    def rank(place: int) -> tuple[int, float]:
        own = losses[place]
        worse = 0 if len(own) == 1 else sum(_dominates(other, own) for other in losses)
        return worse, own[0]

    return [tried[place] for place in sorted(range(len(tried)), key=rank)]


def _dominates(a: Sequence[float], b: Sequence[float]) -> bool:
    return a != b and all(x <= y for x, y in zip(a, b, strict=True))


def _first(space: Space, sources: Sequence[_Source], top: int) -> list[Config]:
    """The best of each source in turn, the nearest source first, each configuration once."""
    found: dict[str, Config] = {}
    deepest = max((len(source.tried) for source in sources), default=0)
    for place in range(deepest):
        for source in sources:
            if place < len(source.tried) and len(found) < top:
                config = source.tried[place].config
                found.setdefault(space.digest(config), config)
    return list(found.values())


def _history(source: _Source, place: int, sources: int) -> Iterator[EarlierTrial]:
    """Its trials that fitted as they were; of too many the best, and others evenly over the ranks."""
    exact = [one for one in source.tried if one.as_it_was]
    most = LARGEST // sources
    kept = exact if len(exact) <= most else [exact[i * (len(exact) - 1) // (most - 1)] for i in range(most)]
    return (EarlierTrial(one.config, one.values, place) for one in kept)
