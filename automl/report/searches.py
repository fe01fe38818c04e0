"""One search (an arm with a seed) as the report shows it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

from automl.contracts import Direction, TrialState

if TYPE_CHECKING:
    from automl.ledger.rows import OpeningRow, SearchRow, TrialRow


def search_entry(
    search: SearchRow, rows: Sequence[TrialRow], openings: Sequence[OpeningRow], direction: Direction
) -> dict[str, Any]:
    """The search with its counts, cost, best trial, anytime curve, fresh-seed and test values.

    `device_seconds` is what the search itself spent: all its trials, without the retrainings.
    """
    trials = sorted((row for row in rows if row.kind == "trial"), key=tell_order)
    finals = sorted((row for row in rows if row.kind == "final"), key=lambda row: row.number)
    best = _best(search, trials, direction)
    fresh = [values[0] for row in finals if (values := final_values(row))]
    written = [opening.values for opening in openings if opening.values]
    test = [value for value in written[0] if math.isfinite(value)] if written else []
    return {
        "seed": search.seed,
        "trials": {state.value: sum(row.state is state for row in trials) for state in TrialState},
        "device_seconds": math.fsum(row.device_seconds for row in trials),
        "best": best,
        "anytime": _anytime(trials, direction),
        "fresh": fresh,
        "test": test,
        "state": search.state,
        "reason": search.reason,
        "final_device_seconds": math.fsum(row.device_seconds for row in finals),
        "finals_failed": sum(row.state is TrialState.FAILED for row in finals),
        "test_openings": len(openings),
        "gaps": _gaps(best, fresh, test),
    }


def tell_order(trial: TrialRow) -> tuple[float, int]:
    """Sorts trials as their search heard of them; those not told yet come last."""
    return (math.inf if trial.told is None else trial.told, trial.number)


def final_values(trial: TrialRow) -> list[float] | None:
    """The values of a complete trial, all finite; None for any other."""
    if trial.state is not TrialState.COMPLETE or not trial.values:
        return None
    return trial.values if all(map(math.isfinite, trial.values)) else None


def _best(search: SearchRow, trials: Sequence[TrialRow], direction: Direction) -> dict[str, Any] | None:
    """The selected trial, or the best so far; of equals the one told first."""
    best: tuple[TrialRow, list[float]] | None = None
    for trial in trials:
        values = final_values(trial)
        if values is None:
            continue
        if trial.id == search.winner:
            best = trial, values
            break
        if best is None or direction.better(values[0], best[1][0]):
            best = trial, values
    if best is None:
        return None
    trial, values = best
    return {
        "trial": trial.id,
        "value": values[0],
        "config": trial.config,
        "derived": trial.derived,
        "values": values,
    }


def _anytime(trials: Sequence[TrialRow], direction: Direction) -> list[list[float]]:
    """[device-seconds of all trials told so far, best value so far], one for each complete trial."""
    points: list[list[float]] = []
    spent = 0.0
    for trial in trials:
        if trial.state is TrialState.RUNNING:
            continue
        spent += trial.device_seconds
        values = final_values(trial)
        if values is not None:
            improved = not points or direction.better(values[0], points[-1][1])
            points.append([spent, values[0] if improved else points[-1][1]])
    return points


def _gaps(
    best: dict[str, Any] | None, fresh: Sequence[float], test: Sequence[float]
) -> dict[str, float | None]:
    """What selection had promised too much, and how retraining carries over to test (later − earlier)."""
    return {
        "validation_to_fresh": fmean(fresh) - best["value"] if fresh and best else None,
        "fresh_to_test": fmean(test) - fmean(fresh) if fresh and test else None,
    }
