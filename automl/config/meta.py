"""Studies of meta-learners: the baselines that every one of them has, and what must fit."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from automl import plugins
from automl.config.checks import evaluator_class
from automl.config.document import KeyPath, Mistake
from automl.config.shorthands import Draft, Use
from automl.config.study import TaskSpec
from automl.contracts import EpisodeSpec, PluginSpec, UserError
from automl.metrics import REGRESSION
from automl.space import Choice, Parameter, Space
from automl.spaces import find_space

BASELINES = ("no_adaptation", "finetune", "embedding", "nearest_centroid")
STRATEGY = "tpe"
BACKBONES = {"classification": "conv4", "regression": "mlp"}


def complete(draft: Draft) -> None:
    """Fill in what a study of meta-learners leaves out.

    Every baseline that can learn the task becomes an arm with its own space, unless an arm has its name or
    space. An option that the file gives holds: a parameter of that name is fixed at it in every space,
    unless the file restricts the parameter itself or, for options of a learner, the space names another
    one. The backbone `auto` is written out.
    """
    arms = draft.data.get("arms")
    if not isinstance(arms, dict) or not all(isinstance(arm, dict) for arm in arms.values()):
        return
    kind = _kind(_metric_names(draft.data.get("task")))
    if _episodic(draft.data.get("evaluator")) and "random" in arms:
        _add_baselines(draft, arms, kind)
    written, study = copy.deepcopy(draft.data.get("space")), draft.data.get("evaluator")
    _hold(draft, draft.data, study, ("evaluator",))
    for name, arm in arms.items():
        own = arm.get("evaluator")
        if _episodic(own) and "space" not in arm and written is not None:
            arm["space"] = copy.deepcopy(written)
        where = ("evaluator",) if own is None else ("arms", name, "evaluator")
        _hold(draft, arm, own or study, where, foreign=own is None)
    for evaluator in (study, *(arm.get("evaluator") for arm in arms.values())):
        if _episodic(evaluator) and evaluator["options"].get("backbone", "auto") == "auto":
            evaluator["options"]["backbone"] = BACKBONES[kind]


def check_arm(evaluator: PluginSpec, space: Space, task: TaskSpec, where: KeyPath) -> Iterator[Mistake]:
    """Whether each learner of the arm has the space's parameters and can learn such tasks."""
    plugin = evaluator_class(evaluator)
    if plugin is None or not plugin.needs_episodes:
        return
    options: Any = plugins.build("evaluators", evaluator).options
    named = space.parameters.get("learner")
    learners = named.options if isinstance(named, Choice) else (options.learner,)
    kind = _kind([metric.name for metric in task.metrics])
    for name in map(str, learners):
        try:
            plugin = plugins.load("learners", name)
            options.adjusted({**space.default_config(), "learner": name})
        except UserError as error:
            yield Mistake(where, " ".join(str(error).split()))
            continue
        if kind not in plugin.kinds:
            text = f"the learner {name} must suit the task, but it learns {', '.join(sorted(plugin.kinds))}"
            yield Mistake(where, f"{text} and the metric is one of {kind}; take another learner or metric")
        ways = _training_ways(options.train_ways, space)
        if not plugin.any_ways and any(value not in (None, _ways(task)) for value in ways):
            text = f"train_ways must be left out for {name}, whose last layer has one output a way"
            yield Mistake(where, f"{text}, but got {ways[0]}; fix it in the spaces of other arms")


def _add_baselines(draft: Draft, arms: dict[str, Any], kind: str) -> None:
    spaces = [arm.get("space") for arm in arms.values()]
    used = {space.get("name") for space in spaces if isinstance(space, dict)}
    for learner in BASELINES:
        name = learner.replace("_", "-")
        if name in arms or learner in used or kind not in plugins.load("learners", learner).kinds:
            continue
        arms[name] = {"strategy": {"name": STRATEGY, "options": {}}, "space": {"name": learner}}
        draft.origins["arms", name] = ("arms",)
        draft.plugins.append(Use("strategies", STRATEGY, {}, ("arms", name, "strategy")))


def _hold(
    draft: Draft, owner: dict[str, Any], evaluator: Any, where: KeyPath, *, foreign: bool = False
) -> None:
    """Fix what the options of the evaluator, which stands at `where`, say in the space of `owner`.

    `foreign`: the evaluator is the study's and the space an arm's; if that names another learner, the
    options of the study's learner do not matter to it.
    """
    spec = owner.get("space")
    if not _episodic(evaluator) or not isinstance(spec, dict) or not isinstance(spec.get("name"), str):
        return
    options, parameters = evaluator["options"], _parameters(spec["name"])
    fixed, narrowed = spec.get("fix") or {}, spec.get("narrow") or {}
    if not isinstance(fixed, dict) or not isinstance(narrowed, dict):
        return
    known = plugins.load("evaluators", evaluator["name"]).Options.model_fields
    free = set(parameters) - {*fixed, *narrowed}
    named = parameters.get("learner")
    learner = options.get("learner", known["learner"].default)
    if foreign and isinstance(named, Choice) and learner not in named.options:
        free &= set(known) - {"learner"}
    held = {}
    for name in (name for name in options if name in free):
        if problem := parameters[name].problem(options[name]):
            text = f"{problem}; it holds in the spaces that have it, and they take no other values"
            mistake = Mistake(draft.written((*where, "options", name)), text)
            if mistake not in draft.mistakes:
                draft.mistakes.append(mistake)
        else:
            held[name] = options[name]
    if held:
        spec["fix"] = {**fixed, **held}


def _parameters(space: str) -> dict[str, Parameter]:
    try:
        return find_space(space).parameters
    except UserError:
        return {}


def _training_ways(option: int | None, space: Space) -> list[Any]:
    parameter = space.parameters.get("train_ways")
    if parameter is None:
        return [option]
    return list(parameter.options) if isinstance(parameter, Choice) else [parameter.low, parameter.high]


def _ways(task: TaskSpec) -> int | None:
    return None if task.episodes is None else task.episodes.ways or EpisodeSpec.ways


def _metric_names(task: Any) -> list[str]:
    metrics = task.get("metrics") if isinstance(task, dict) else None
    listed = metrics if isinstance(metrics, list) else []
    return [str(metric.get("name")) for metric in listed if isinstance(metric, dict)]


def _kind(metrics: list[str]) -> str:
    return "regression" if any(name in REGRESSION for name in metrics) else "classification"


def _episodic(evaluator: Any) -> bool:
    """Whether it meta-learns, and its options can be looked at."""
    if not isinstance(evaluator, dict) or not isinstance(evaluator.get("options"), dict):
        return False
    name = evaluator.get("name")
    plugin = evaluator_class(PluginSpec(name)) if isinstance(name, str) else None
    return plugin is not None and plugin.needs_episodes
