"""The shortest way to a campaign: an objective, a space, a budget."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, Unpack, cast

from automl.api import running
from automl.api.campaign import Campaign
from automl.api.keys import (
    MinimizeKeys,
    PluginLike,
    SearchKeys,
    SpaceLike,
    StudyKeys,
    check_names,
    run_keys,
)
from automl.api.study import Study
from automl.contracts import UserError

STRATEGY = "tpe"
ARM = re.compile(r"[^a-z0-9]+")


def minimize(objective: Callable[..., Any], space: SpaceLike, **keys: Unpack[MinimizeKeys]) -> Campaign:
    """Look for the configuration of the smallest value, and say whether that beats random search.

    `objective`: a function of (config) or (config, context) that returns a number; `context` has `seed`,
    `report(step, value)` and `checkpoint`. `space`: `{"lr": automl.Float(1e-5, 1e-1, log=True), …}`. The
    other arguments are those of `automl.api.keys.MinimizeKeys`. Run again, it continues, or grows when more
    is asked for.
    """
    return _optimize("minimize", objective, space, keys)


def maximize(objective: Callable[..., Any], space: SpaceLike, **keys: Unpack[MinimizeKeys]) -> Campaign:
    """The same for the largest value."""
    return _optimize("maximize", objective, space, keys)


def _optimize(
    direction: str, objective: Callable[..., Any], space: SpaceLike, keys: MinimizeKeys
) -> Campaign:
    check_names(keys, MinimizeKeys)
    name = keys.get("name") or _name(objective)
    evaluator: Any = objective
    if "deadline" in keys:
        evaluator = {"function": {"call": objective, "deadline": keys["deadline"]}}
    task = {"metric": keys.get("metric", "value"), "direction": direction}
    study = study_keys(name, task, space, cast(SearchKeys, keys))
    study["evaluator"] = evaluator
    if "executor" in keys:
        study["executor"] = keys["executor"]
    return running.run(Study(trust=keys.get("trust", False), **study), **run_keys(keys))


def study_keys(name: str, task: Mapping[str, Any], space: SpaceLike, keys: SearchKeys) -> StudyKeys:
    """The study of one search, as its file would have it, without an evaluator."""
    given = {"trials": keys.get("trials"), "device_seconds": keys.get("seconds")}
    budget = {key: value for key, value in given.items() if value is not None}
    if not budget:
        raise UserError("a search must have a budget, but got none; write trials=50 or seconds=60")
    study: StudyKeys = {"name": name, "task": task, "space": space, "budget": budget}
    study["arms"] = _arms(keys)
    study["final"] = {"seeds": keys.get("retrain", 0)}
    baseline = keys.get("baseline", True)
    if baseline is not True and study["arms"]:
        study["baseline"] = baseline
    for key in ("constraints", "seeds", "limits", "retry", "equivalent", "memory"):
        if key in keys:
            study[key] = keys[key]
    return study


def _arms(keys: SearchKeys) -> Mapping[str, Any]:
    """The arms besides the baseline: none when random search is what is asked for."""
    if "arms" in keys:
        if both := [key for key in ("strategy", "pruner") if key in keys]:
            raise UserError(f"arms have strategies of their own, but got {both[0]} too; write it in arms")
        return keys["arms"]
    strategy = keys.get("strategy", STRATEGY)
    name = strategy_name(strategy)
    if name == "random" and "pruner" not in keys:
        return {}
    arm: dict[str, Any] = {"strategy": strategy, **({"pruner": keys["pruner"]} if "pruner" in keys else {})}
    return {name if name != "random" else "random-pruned": arm}


def strategy_name(strategy: PluginLike) -> str:
    """A name for the arm of a strategy."""
    named = next(iter(strategy), "") if isinstance(strategy, Mapping) else strategy
    return slug(str(named).rpartition(":")[2], "search")


def slug(text: str, otherwise: str) -> str:
    """`text` as a name of a study or an arm."""
    return ARM.sub("-", text.lower()).strip("-")[:63] or otherwise


def _name(objective: Callable[..., Any]) -> str:
    """The name of a study: that of its function."""
    named = inspect.isfunction(objective) and objective.__name__ != "<lambda>"
    return slug(objective.__name__, "search") if named else "search"
