"""Whether the learners of a search space can learn the tasks of a study."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from automl.contracts import Config, Mistakes, Scalar, TaskOutline, UserError
from automl.learners.base import Learner
from automl.metatraining.options import MetaLearnOptions, find_learner, task_kind
from automl.space import Choice, Parameter, Space


def mistakes(options: MetaLearnOptions, space: Space, task: TaskOutline) -> Mistakes:
    """Why a learner that `space` can choose does not have its parameters, or cannot learn such tasks."""
    for name in _learners(options, space):
        try:
            learner = find_learner(name)
            options.adjusted({**space.default_config(), "learner": name})
        except UserError as error:
            yield "", " ".join(str(error).split())
            continue
        for text in (*_kind_mistakes(name, learner, task), *_ways_mistakes(name, options, space, task)):
            yield "", text


def highest(space: Space, names: Iterable[str]) -> Config:
    """The largest number that each of the parameters `names` can be; None for a choice without integers."""
    return {name: _highest(space.parameters[name]) for name in names if name in space.parameters}


def _highest(parameter: Parameter) -> Scalar:
    if isinstance(parameter, Choice):
        return max((value for value in parameter.options if isinstance(value, int)), default=None)
    return parameter.high


def _learners(options: MetaLearnOptions, space: Space) -> list[str]:
    named = space.parameters.get("learner")
    return [str(name) for name in named.options] if isinstance(named, Choice) else [options.learner]


def _kind_mistakes(name: str, learner: type[Learner], task: TaskOutline) -> Iterator[str]:
    kind = task_kind(task.metrics)
    if kind not in learner.kinds:
        yield (
            f"the learner {name} must suit the task, but it learns {', '.join(sorted(learner.kinds))} and "
            f"the metric is one of {kind}; take another learner or metric"
        )


def _ways_mistakes(name: str, options: MetaLearnOptions, space: Space, task: TaskOutline) -> Iterator[str]:
    parameter = space.parameters.get("train_ways")
    if parameter is None:
        values: list[Scalar] = [options.train_ways]
    else:
        values = list(parameter.options) if isinstance(parameter, Choice) else [parameter.low, parameter.high]
    ways = task.episodes.ways if task.episodes else None
    if not find_learner(name).any_ways and any(value not in (None, ways) for value in values):
        yield (
            f"train_ways must be left out for {name}, whose last layer has one output a way, but got "
            f"{values[0]}; fix it in the spaces of other arms"
        )
