"""Every trial behind the comparison, and the Pareto set of studies with several metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from automl.contracts import Config, Direction
from automl.report.searches import final_values, finite_config, tell_order

if TYPE_CHECKING:
    from automl.ledger.rows import SearchRow, TrialRow

Trials: TypeAlias = Mapping[str, Sequence["TrialRow"]]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One trial. `values` of a complete one; `config`: of a one-shot search, the derived one."""

    trial: str
    arm: str
    seed: int
    state: str
    values: tuple[float, ...] | None
    device_seconds: float
    config: Config


@dataclass(frozen=True)
class ParetoPoint:
    """A complete trial that no other trial dominates."""

    trial: str
    arm: str
    seed: int
    values: tuple[float, ...]


def evaluations(searches: Sequence[SearchRow], trials: Trials) -> tuple[Evaluation, ...]:
    """Every trial of every search, in the order in which the search learned their results."""
    return tuple(
        Evaluation(
            trial=trial.id,
            arm=search.arm,
            seed=search.seed,
            state=trial.state.value,
            values=final_values(trial),
            device_seconds=trial.device_seconds,
            config=finite_config(trial.derived or trial.config),
        )
        for search in searches
        for trial in sorted(trials[search.id], key=tell_order)
        if trial.kind == "trial"
    )


def pareto(
    searches: Sequence[SearchRow], trials: Trials, directions: Sequence[Direction]
) -> tuple[ParetoPoint, ...]:
    """The complete trials that no other one dominates, for several metrics; equal values only once."""
    if len(directions) < 2:
        return ()
    points = [
        ParetoPoint(trial.id, search.arm, search.seed, values)
        for search in searches
        for trial in trials[search.id]
        if trial.kind == "trial" and (values := final_values(trial))
    ]
    signs = [-1 if direction is Direction.MAXIMIZE else 1 for direction in directions]
    front: list[tuple[list[float], ParetoPoint]] = []
    # in this order only an earlier point can dominate a later one
    for point in sorted(points, key=lambda point: _losses(point, signs)):
        losses = _losses(point, signs)
        if not any(all(a <= b for a, b in zip(other, losses, strict=True)) for other, _ in front):
            front.append((losses, point))
    return tuple(point for _, point in front)


def _losses(point: ParetoPoint, signs: Sequence[int]) -> list[float]:
    return [sign * value for sign, value in zip(signs, point.values, strict=True)]
