"""What samplers learn of a trial that has ended: its state and values, violations of constraints, a score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from optuna.trial import TrialState as OptunaState

from automl.contracts import PROXY, Bounds, Json, Metric, TrialState, violations
from automl.strategies.base import STATES
from automl.strategies.history import SCORE, SCREEN

VIOLATION: Final = "constraints:"  # begins Optuna's names of trial attributes that hold a violation
BEYOND: Final = "automl:beyond"  # trial attribute: the values of a trial that broke a constraint


def noted(
    before: Json,
    constraints: Mapping[str, Bounds],
    metrics: Sequence[Metric],
    state: TrialState,
    values: Sequence[float] | None,
    measured: Mapping[str, float],
) -> Json:
    """What to keep with a trial that ends, plain JSON, besides the attributes that it had `before`.

    The score of a screening among all that was `measured` beside the values; the violations of constraints
    whose metrics are known; and the values of a trial that was pruned since it broke one, where they are.
    """
    kept: Json = {}
    if (proxy := before.get(SCREEN)) and PROXY + proxy in measured:
        kept[SCORE] = measured[PROXY + proxy]
    names = [metric.name for metric in metrics]
    known = {**measured, **dict(zip(names, values or (), strict=False))}
    found = violations(constraints, known)
    if not found or state is TrialState.FAILED:
        return kept
    kept |= {f"{VIOLATION}{name}": beyond for name, beyond in found.items()}
    whole = known.keys() >= {*names, *constraints}  # GP refuses trials with different constraints
    if state is TrialState.PRUNED and max(found.values()) > 0 and whole:
        kept[BEYOND] = [known[name] for name in names]
    return kept


def to_samplers(
    state: TrialState, values: list[float] | None, attributes: Json
) -> tuple[OptunaState, list[float] | None]:
    """The state and the values that Optuna's samplers see of a trial with these attributes.

    A screening has failed: they learn nothing of it. A trial that broke a constraint is complete, if its
    values are known: they model such trials by their values and violations.
    """
    if attributes.get(SCREEN):
        return OptunaState.FAIL, None
    if state is TrialState.PRUNED and BEYOND in attributes:
        return OptunaState.COMPLETE, attributes[BEYOND]
    return STATES[state], values if state is TrialState.COMPLETE else None
