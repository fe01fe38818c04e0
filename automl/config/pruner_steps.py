"""Gives an arm's evaluator the steps at which the arm's pruner compares trials."""

from __future__ import annotations

from automl import plugins
from automl.config.study import Arm, Study
from automl.contracts import PluginSpec
from automl.spaces import load_space


def with_rungs(study: Study) -> Study:
    """The study in which the evaluator of each arm knows the rungs of the arm's pruner, if it can use them.

    The rungs are part of how the arm trains: its winner is retrained and exported with them, so that a
    fresh-seed value means what the trial's value meant. Arms without a pruner that has rungs, references
    and the genotypes of one-shot arms have none.
    """
    return study.model_copy(update={"arms": {name: _arm(study, arm) for name, arm in study.arms.items()}})


def _arm(study: Study, arm: Arm) -> Arm:
    pruner = plugins.build("pruners", arm.pruner)
    if not pruner.rungs(STEPS):
        return arm
    spec, space = arm.evaluator or study.evaluator, arm.space or study.space
    added = plugins.build("evaluators", spec).rung_options(
        pruner.rungs, load_space(space.model_dump(mode="json")) if space else None
    )
    if not added:
        return arm
    return arm.model_copy(update={"evaluator": PluginSpec(spec.name, {**spec.options, **added})})


STEPS = 1_000_000  # a pruner that has rungs has some in a trial of so many steps
