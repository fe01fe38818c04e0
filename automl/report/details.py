"""What stands behind the comparison: every trial, Pareto set, failures, importance, warnings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from automl.contracts import Direction, TrialState
from automl.report.comparison import BASELINE
from automl.report.rung_ranking import warnings as rung_warnings
from automl.report.searches import final_values, tell_order

if TYPE_CHECKING:
    from automl.ledger.rows import SearchRow, TrialRow

_TRACEBACK: Final = 2000  # characters kept of a traceback: its end, where the error is
_EXAMPLES: Final = 5  # trials named for each kind of failure
_MOST_WARNINGS: Final = 30
_OVERRUN: Final = 1.15  # of the budget
Trials: TypeAlias = Mapping[str, Sequence["TrialRow"]]


def evaluations(searches: Sequence[SearchRow], trials: Trials) -> list[dict[str, Any]]:
    """Every trial of every search in the order of its tells; a one-shot search with what it derived."""
    return [
        {
            "trial": trial.id,
            "arm": search.arm,
            "seed": search.seed,
            "state": trial.state.value,
            "values": final_values(trial),
            "device_seconds": trial.device_seconds,
            "config": trial.derived or trial.config,
        }
        for search in searches
        for trial in sorted(trials[search.id], key=tell_order)
        if trial.kind == "trial"
    ]


def pareto(
    searches: Sequence[SearchRow], trials: Trials, directions: Sequence[Direction]
) -> list[dict[str, Any]]:
    """The complete trials that no other one dominates, for several metrics; each value set once."""
    if len(directions) < 2:
        return []
    found = [
        {"trial": trial.id, "arm": search.arm, "seed": search.seed, "values": trial.values}
        for search in searches
        for trial in trials[search.id]
        if trial.kind == "trial" and final_values(trial)
    ]
    signs = [-1 if direction is Direction.MAXIMIZE else 1 for direction in directions]
    front: list[tuple[list[float], dict[str, Any]]] = []
    # in this order a point can only be dominated by one before it
    for entry in sorted(found, key=lambda entry: _losses(entry, signs)):
        losses = _losses(entry, signs)
        if not any(all(a <= b for a, b in zip(other, losses, strict=True)) for other, _ in front):
            front.append((losses, entry))
    return [entry for _, entry in front]


def _losses(entry: Mapping[str, Any], signs: Sequence[int]) -> list[float]:
    return [sign * value for sign, value in zip(signs, entry["values"], strict=True)]


def failures(searches: Sequence[SearchRow], trials: Trials) -> list[dict[str, Any]]:
    """Failed trials and retrainings by arm and reason, the most frequent first."""
    kinds: dict[tuple[str, str], dict[str, Any]] = {}
    for search in searches:
        for trial in trials[search.id]:
            if trial.state is not TrialState.FAILED:
                continue
            reason = trial.reason or "no reason was recorded"
            kind = kinds.setdefault(
                (search.arm, reason),
                {"arm": search.arm, "reason": reason, "count": 0, "trials": [], "traceback": ""},
            )
            kind["count"] += 1
            kind["trials"] += [trial.id] if len(kind["trials"]) < _EXAMPLES else []
            kind["traceback"] = kind["traceback"] or (trial.traceback or "")[-_TRACEBACK:]
    return sorted(kinds.values(), key=lambda kind: -kind["count"])


def importances(data: Mapping[str, Any], direction: Direction) -> dict[str, float]:
    """Shares of the parameters in reaching the best trials, over arms that search the study's own space."""
    from automl.strategies.importance import importance

    return importance(
        [
            (trial["config"], trial["values"][0])
            for trial in data["evaluations"]
            if trial["values"] and data["arm_info"][trial["arm"]]["shared"]
        ],
        direction,
    )


def warnings(data: Mapping[str, Any], spec: Mapping[str, Any]) -> list[str]:
    """What a reader must know before believing the comparison."""
    found = []
    if data["status"] != "finished":
        found.append(f"the campaign is {data['status']}: all numbers and verdicts are interim")
    if len(data["metrics"]) > 1:
        found.append(f"arms are compared on {data['metric']} alone; see the Pareto set for all metrics")
    if BASELINE not in data["arms"]:
        found.append(f"no arm is called {BASELINE!r}, so there is nothing to compare with")
    found += rung_warnings(data, spec)
    for arm, searches in data["arms"].items():
        missing = sorted(set(spec["seeds"]) - {search["seed"] for search in searches})
        if missing:
            found.append(f"{arm} has not started with {_seeds(missing)}")
        for search in searches:
            found += _search_warnings(f"{arm} with seed {search['seed']}", search, data["budget"])
    if len(found) > _MOST_WARNINGS:
        found[_MOST_WARNINGS:] = [f"and {len(found) - _MOST_WARNINGS} more such warnings"]
    return found


def _search_warnings(name: str, search: Mapping[str, Any], budget: Mapping[str, Any]) -> list[str]:
    found = []
    if search["best"] is None and search["state"] == "finished":
        found.append(f"{name} has no complete trial ({search['reason'] or 'no reason was recorded'})")
    if search["finals_failed"]:
        found.append(f"{name}: {search['finals_failed']} of its fresh-seed retrainings failed")
    if search["test_openings"] > 1:
        found.append(f"{name} opened the test set {search['test_openings']} times; the first values count")
    allowed = budget.get("device_seconds")
    if allowed and search["device_seconds"] > _OVERRUN * allowed:
        found.append(f"{name} used {search['device_seconds']:.0f} of {allowed:.0f} device-seconds")
    return found


def _seeds(seeds: Sequence[int]) -> str:
    shown = ", ".join(map(str, seeds[:10])) + (f", … ({len(seeds)} in all)" if len(seeds) > 10 else "")
    return ("seed " if len(seeds) == 1 else "seeds ") + shown
