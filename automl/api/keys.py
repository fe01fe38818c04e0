"""The keys of a study as arguments, and those of a search by `minimize` and `session`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypedDict, cast

from automl.config.document import nearest
from automl.contracts import UserError
from automl.ledger import Store
from automl.space import Parameter, Space

Parameters: TypeAlias = Mapping[str, Parameter]
SpaceLike: TypeAlias = str | Space | Parameters | Mapping[str, Any]
PluginLike: TypeAlias = str | Mapping[str, Any]  # name, or {name: {option: value}}
StoreLike: TypeAlias = Store | str | Path


class StudyKeys(TypedDict, total=False):
    """The keys of a study file.

    Besides what a file can say, `space` may be `{name: automl.Float(…)}` or a `Space`, and `evaluator` a
    function.
    """

    name: str
    task: Mapping[str, Any]
    constraints: Mapping[str, Any]
    space: SpaceLike
    evaluator: Any
    budget: Mapping[str, Any]
    limits: Mapping[str, Any]
    trial: Mapping[str, Any]
    retry: Mapping[str, Any]
    seeds: int | Sequence[int] | Mapping[str, Any]
    arms: Mapping[str, Any]
    baseline: bool
    equivalent: float
    executor: PluginLike
    final: Mapping[str, Any]
    memory: Any
    schedule: Mapping[str, Any]
    record: str


class SearchKeys(TypedDict, total=False):
    """What a search may be told.

    `trials`, `seconds` (device-seconds): the budget of each search, at least one of them. `strategy`,
    `pruner`: of the one arm; `arms` in their place for several. `seeds`: how many, or a list. `baseline`:
    whether random search at equal cost is the other arm. `retrain`: how often each winner is evaluated once
    more with a fresh seed. `constraints`, `limits`, `retry`, `equivalent`, `memory`: as in a study file.
    """

    trials: int
    seconds: float
    strategy: PluginLike
    pruner: PluginLike
    arms: Mapping[str, Any]
    seeds: int | Sequence[int] | Mapping[str, Any]
    baseline: bool
    retrain: int
    constraints: Mapping[str, Any]
    limits: Mapping[str, Any]
    retry: Mapping[str, Any]
    equivalent: float
    memory: Any


class RunKeys(TypedDict, total=False):
    """How a campaign is run.

    `store`: a folder, a `postgresql://` address or a `Store`; by default that of the environment. `fresh`: a
    new campaign with seeds that none has had. `accept`: continue although code or data have changed.
    `trust`: import code that the study names wherever it is. `progress`: auto, live, log or quiet.
    """

    store: StoreLike | None
    fresh: bool
    accept: bool
    trust: bool
    progress: str


class MinimizeKeys(SearchKeys, RunKeys, total=False):
    """What `minimize` may be told besides.

    `name`: of the study, by default the function's. `metric`: the name of the value. `executor`: where
    trials run, as in a study file; by default in this process. `deadline`: wall seconds of one trial.
    """

    name: str
    metric: str
    executor: PluginLike
    deadline: float


class SessionKeys(SearchKeys, RunKeys, total=False):
    """What `session` may be told besides.

    `metrics`: a known metric, or `{name: minimize or maximize}`, the first of which is searched by.
    `cpus`, `gpus`: what a trial of the loop holds. `deadline`: wall seconds from ask to tell.
    """

    metrics: str | Sequence[str] | Mapping[str, str]
    cpus: float
    gpus: float
    deadline: float


def check_names(keys: Mapping[str, Any], known: type) -> None:
    """Raise `UserError` for an argument that there is not; `known`: one of the classes above."""
    for key in keys:
        if key not in known.__annotations__:
            raise UserError(
                f"must be a known argument, but got {key!r}; {nearest(key, known.__annotations__)}"
            )


def run_keys(keys: Mapping[str, Any]) -> RunKeys:
    """Those of the arguments that say how a campaign is run."""
    return cast(RunKeys, {key: value for key, value in keys.items() if key in RunKeys.__annotations__})
