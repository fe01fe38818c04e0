"""Tells an arm's evaluator at which epochs its pruner compares trials."""

from __future__ import annotations

from typing import Any

from automl import plugins
from automl.config.study import Arm, Study
from automl.contracts import PluginSpec
from automl.space import Choice, Int, Space

OPTIONS = {"rungs", "schedule", "epochs"}


def with_rungs(study: Study) -> Study:
    """The study with the rungs of each arm's pruner among the options of the arm's evaluator.

    That is for evaluators with the options `rungs`, `schedule` and `epochs`, such as `network`, which then
    anneals its learning rate at each rung; unless the study gives rungs of its own or `schedule: cosine`.
    The rungs are part of how the arm trains: its winner is retrained and exported with them, so that a
    fresh-seed value means what the trial's value meant. Arms without such a pruner, references and the
    genotypes of one-shot arms have none.
    """
    arms = {name: _told(study, arm) for name, arm in study.arms.items()}
    return study.model_copy(update={"arms": arms})


def _told(study: Study, arm: Arm) -> Arm:
    if arm.pruner.name == "none":
        return arm
    pruner = plugins.load("pruners", arm.pruner.name)
    rungs = getattr(pruner(pruner.Options(**arm.pruner.options)), "rungs", None)
    evaluator = arm.evaluator or study.evaluator
    known = plugins.load("evaluators", evaluator.name).Options
    if rungs is None or not known.model_fields.keys() >= OPTIONS:
        return arm
    options = known(**evaluator.options)
    if options.rungs or options.schedule == "cosine":
        return arm
    spec = arm.space or study.space
    space = plugins.load_space(spec.model_dump(mode="json")) if spec else None
    told = {**evaluator.options, "rungs": rungs(_most_epochs(options, space))}
    return arm.model_copy(update={"evaluator": PluginSpec(evaluator.name, told)})


def _most_epochs(options: Any, space: Space | None) -> int:
    """The longest training: a parameter `epochs` of the space sets the option of that name."""
    own = space.parameters.get("epochs") if space else None
    if isinstance(own, Int):
        return max(own.high, int(options.epochs))
    if isinstance(own, Choice):
        return max(int(options.epochs), *(value for value in own.options if isinstance(value, int)))
    return int(options.epochs)
