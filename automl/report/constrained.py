"""Constraints: how many trials of each arm broke them, and what the winner has."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final

from automl.contracts import BROKEN, Bounds, Metric, TrialState
from automl.report.arms import ArmReport
from automl.report.chosen import Chosen, marked
from automl.report.evaluations import Trials
from automl.report.markup import Column, table
from automl.selection import FINAL

if TYPE_CHECKING:
    from automl.ledger.rows import SearchRow, TrialRow

TITLE: Final = "Constraints:"
ABOUT: Final = (
    "a trial that breaks a constraint ends as pruned and cannot win; a retraining that does is only told"
)


@dataclass(frozen=True)
class Constrained:
    """One constraint. By arm: trials that `broke` it, and `retrainings` of winners that do.

    `winners`: what the best trial of each search has, by trial; `retrained`: what its retrainings have, by
    search.
    """

    metric: str
    bounds: str
    broke: Mapping[str, int]
    retrainings: Mapping[str, int]
    winners: Mapping[str, float]
    retrained: Mapping[str, tuple[float, ...]]


def constrained(
    constraints: Mapping[str, Bounds],
    metrics: Sequence[Metric],
    searches: Sequence[SearchRow],
    trials: Trials,
    arms: Mapping[str, ArmReport],
) -> tuple[Constrained, ...]:
    """What became of each constraint of a study."""
    names = [metric.name for metric in metrics]
    bests = {one.best.trial for arm in arms.values() for one in arm.searches if one.best}
    return tuple(_one(name, bounds, names, searches, trials, bests) for name, bounds in constraints.items())


def _one(
    name: str,
    bounds: Bounds,
    names: Sequence[str],
    searches: Sequence[SearchRow],
    trials: Trials,
    bests: set[str],
) -> Constrained:
    broke, breaking = Counter[str](), Counter[str]()
    winners, retrained = dict[str, float](), defaultdict[str, tuple[float, ...]](tuple)
    for search in searches:
        for trial in trials[search.id]:
            value = _measured(trial, names).get(name)
            if value is None:
                continue
            if trial.id in bests:
                winners[trial.id] = value
            beyond = bounds.violation(value) > 0
            broke[search.arm] += beyond and trial.kind == "trial" and (trial.reason or "").startswith(BROKEN)
            if trial.kind == FINAL:
                breaking[search.arm] += beyond
                retrained[search.id] += (value,)
    return Constrained(name, str(bounds), +broke, +breaking, winners, retrained)


def _measured(trial: TrialRow, names: Sequence[str]) -> dict[str, float]:
    values = trial.values if trial.state is TrialState.COMPLETE else None
    return {**(trial.metrics or {}), **dict(zip(names, values or (), strict=False))}


def lines(
    found: Sequence[Constrained], arms: Sequence[ArmReport], chosen: Chosen | None = None
) -> Iterator[str]:
    """A line for each constraint: which arms broke it how often, and what the winner has."""
    for one in found:
        counts = [f"{arm.name} {_of(one.broke[arm.name], arm)}" for arm in arms if arm.name in one.broke]
        broke = f"trials that broke it: {', '.join(counts)}" if counts else "no trial broke it"
        text = f"{one.metric} {one.bounds}: {broke}"
        value = None if chosen is None else one.winners.get(chosen.best.trial)
        text += "" if value is None else f"; the winner has {_number(value)}"
        again = [f"{arm} {count}" for arm, count in one.retrainings.items()]
        yield text + (f"; broken by retrainings: {', '.join(again)}" if again else "")


def section(found: Sequence[Constrained], arms: Sequence[ArmReport], chosen: Chosen | None) -> str:
    """The HTML table; empty for a study without constraints."""
    if not found:
        return ""
    columns = [Column("arm"), Column("constraint", "text"), Column("trials that broke it")]
    columns += [Column("its best trials have"), Column("retrainings that break it")]
    rows = [
        [
            escape(marked(arm.name, chosen)),
            escape(f"{one.metric} {one.bounds}"),
            _of(one.broke.get(arm.name, 0), arm),
            ", ".join(_number(one.winners[trial]) for trial in _bests(arm) if trial in one.winners) or "–",
            str(one.retrainings.get(arm.name, 0)),
        ]
        for one in found
        for arm in arms
    ]
    return f'<h2>Constraints</h2>{table(columns, rows)}<p class="soft">{ABOUT}</p>'


def _bests(arm: ArmReport) -> list[str]:
    return [search.best.trial for search in arm.searches if search.best]


def _of(count: int, arm: ArmReport) -> str:
    return f"{count} of {sum(arm.counts)}"


def _number(value: float) -> str:
    return f"{value:,.6g}" if abs(value) < 1e6 else f"{value:,.0f}"
