"""Fills in what a study may leave out because its evaluators say it: arms, fixed parameters, options."""

from __future__ import annotations

import copy

from automl.config.checks import evaluator_class
from automl.config.defaults import BASELINE_ARM
from automl.config.document import KeyPath, Mistake
from automl.config.shorthand_draft import Draft, Use
from automl.contracts import Direction, Evaluator, Json, Metric, PluginSpec, TaskOutline, UserError
from automl.space import Parameter, Space
from automl.spaces import whole_space


def complete(draft: Draft) -> None:
    """Fill in the baseline arms of the study's evaluator, the parameters that options fix, and options.

    A baseline arm is left out when an arm has its name or its space. An option that fixes a parameter does
    so in every space that has it, unless the file restricts that parameter itself.
    """
    arms = draft.data.get("arms")
    if not isinstance(arms, dict) or not all(isinstance(arm, dict) for arm in arms.values()):
        return
    study, task = draft.data.get("evaluator"), _outline(draft.data.get("task"))
    if BASELINE_ARM in arms:
        _add_baselines(draft, arms, study, task)
    written = copy.deepcopy(draft.data.get("space"))
    _fix(draft, draft.data, study, ("evaluator",))
    for name, arm in arms.items():
        evaluator = arm.get("evaluator")
        plugin = _plugin(evaluator)
        if plugin and plugin.options_fix_parameters and "space" not in arm and written is not None:
            arm["space"] = copy.deepcopy(written)
        where = ("evaluator",) if evaluator is None else ("arms", name, "evaluator")
        _fix(draft, arm, evaluator or study, where, shared=evaluator is None)
    for evaluator in (study, *(arm.get("evaluator") for arm in arms.values())):
        plugin = _plugin(evaluator)
        if plugin is not None:
            evaluator["options"] = dict(plugin.completed_options(evaluator["options"], task))


def _add_baselines(draft: Draft, arms: Json, evaluator: object, task: TaskOutline) -> None:
    plugin = _plugin(evaluator)
    spaces = [arm.get("space") for arm in arms.values()]
    used = {space.get("name") for space in spaces if isinstance(space, dict)}
    for arm in plugin.baseline_arms(task) if plugin else []:
        if arm.name in arms or arm.space in used:
            continue
        name, options = arm.strategy.name, dict(arm.strategy.options)
        arms[arm.name] = {"strategy": {"name": name, "options": options}, "space": {"name": arm.space}}
        draft.origins["arms", arm.name] = ("arms",)
        path = ("arms", arm.name, "strategy")
        draft.plugins.append(Use("strategies", name, options, path))


def _fix(draft: Draft, owner: Json, evaluator: object, where: KeyPath, *, shared: bool = False) -> None:
    """Fix what the options of the evaluator, which stands at `where`, say in the space of `owner`.

    `shared`: the evaluator is the study's and the space an arm's.
    """
    plugin, spec = _plugin(evaluator), owner.get("space")
    if (
        plugin is None
        or not isinstance(evaluator, dict)
        or not plugin.options_fix_parameters
        or not isinstance(spec, dict)
        or not isinstance(spec.get("name"), str)
    ):
        return
    fixed, narrowed = spec.get("fix") or {}, spec.get("narrow") or {}
    if not isinstance(fixed, dict) or not isinstance(narrowed, dict):
        return
    space = _space(spec)
    options, parameters = evaluator["options"], {} if space is None else space.parameters
    named = plugin.fixing_options(options, space, shared=shared) if space is not None else set()
    free = (set(parameters) & named) - {*fixed, *narrowed}
    values = {name: options[name] for name in options if name in free}
    held = {
        name: value
        for name, value in values.items()
        if _allowed(draft, parameters[name], value, (*where, "options", name))
    }
    if held:
        spec["fix"] = {**fixed, **held}


def _allowed(draft: Draft, parameter: Parameter, value: object, path: KeyPath) -> bool:
    problem = parameter.problem(value)
    if problem:
        text = f"{problem}; the option fixes the parameter of its name, which takes no other values"
        mistake = Mistake(draft.written(path), text)
        if mistake not in draft.mistakes:
            draft.mistakes.append(mistake)
    return not problem


def _space(spec: Json) -> Space | None:
    try:
        return whole_space(spec)
    except (UserError, KeyError, TypeError):  # what is wrong with it is another mistake
        return None


def _plugin(evaluator: object) -> type[Evaluator] | None:
    """The evaluator of a written-out key, if it is known and its options can be looked at."""
    if not isinstance(evaluator, dict) or not isinstance(evaluator.get("options"), dict):
        return None
    name = evaluator.get("name")
    return evaluator_class(PluginSpec(name)) if isinstance(name, str) else None


def _outline(task: object) -> TaskOutline:
    """What the task's metrics say of it; the rest is checked later."""
    metrics = task.get("metrics") if isinstance(task, dict) else None
    listed = [metric for metric in metrics if isinstance(metric, dict)] if isinstance(metrics, list) else []
    known = {direction.value: direction for direction in Direction}
    return TaskOutline(
        tuple(
            Metric(str(m.get("name")), known.get(str(m.get("direction")), Direction.MAXIMIZE)) for m in listed
        ),
        has_data=isinstance(task, dict) and task.get("dataset") is not None,
    )
