"""Checks of an evaluator (see `automl.contracts.Evaluator`)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, get_args

from pydantic import ValidationError

from automl import contracts, plugins
from automl.checking.evaluator_trials import Example, trial_checks
from automl.checking.frame import Check
from automl.contracts import Direction, Evaluator, EvaluatorOptions, Metric, Tabular, TaskOutline
from automl.space import Choice, Space
from automl.spaces import find_space

UNKNOWN = "no_such_option"
KINDS_OF_MODEL = ("network", "learner", "table", None)


def checks(plugin: object, example: Example | None = None) -> Iterator[Check]:
    """The checks of an evaluator. Trials are run with `example`, by default one made of its contract."""
    yield Check("it is a class of evaluators with options", partial(_check_class, plugin))
    if not (isinstance(plugin, type) and issubclass(plugin, Evaluator)) or inspect.isabstract(plugin):
        return
    options = plugin.example_options if example is None else example.options
    yield Check("its options are validated plain data", partial(_check_options, plugin, options))
    yield Check("its traits have values that are known", partial(_check_traits, plugin))
    yield Check("its methods take the arguments of the contract", partial(_check_methods, plugin))
    yield Check("its mistakes are pairs of an option and a text", partial(_check_mistakes, plugin, options))
    yield Check("options that it completes or changes stay valid", partial(_check_changes, plugin, options))
    yield Check("the arms that it adds can be loaded", partial(_check_arms, plugin))
    yield from trial_checks(plugin, example)


def _check_class(plugin: object) -> None:
    assert isinstance(plugin, type) and issubclass(plugin, Evaluator), (
        f"PLUGIN of an evaluator must be a class that extends automl.contracts.Evaluator, but is {plugin!r}; "
        "extend it"
    )
    missing = ", ".join(sorted(plugin.__abstractmethods__))
    assert not missing, f"an evaluator must define {missing}, but does not; define it"
    options = plugin.Options
    assert isinstance(options, type) and issubclass(options, EvaluatorOptions), (
        f"Options must extend automl.contracts.EvaluatorOptions, but is {options!r}; extend it"
    )


def _check_options(plugin: type[Evaluator], given: Mapping[str, Any]) -> None:
    try:
        options = plugin.Options.model_validate(dict(given))
    except ValidationError as error:
        raise AssertionError(
            f"Options must accept example_options {dict(given)}, but: {error}; give every option a default, "
            "or set example_options"
        ) from error
    again = plugin.Options.model_validate(options.model_dump(mode="json"))
    assert again == options, f"options must be equal after JSON, but {options!r} becomes {again!r}"
    try:
        plugin.Options.model_validate({**given, UNKNOWN: 1})
    except ValidationError:
        return
    raise AssertionError(f"unknown options must be refused, but {UNKNOWN} is taken; leave extra='forbid'")


def _check_traits(plugin: type[Evaluator]) -> None:
    builders = (*get_args(contracts.Builder), None)
    assert plugin.builder in builders, f"builder must be one of {builders}, but is {plugin.builder!r}"
    assert plugin.leaves in KINDS_OF_MODEL, (
        f"leaves must be one of {KINDS_OF_MODEL}, but is {plugin.leaves!r}"
    )
    flags = {
        "needs_data": plugin.needs_data,
        "needs_episodes": plugin.needs_episodes,
        "one_shot": plugin.one_shot,
        "simulated": plugin.simulated,
        "reruns_without_data": plugin.reruns_without_data,
        "options_fix_parameters": plugin.options_fix_parameters,
        "uses_mlflow": plugin.uses_mlflow,
    }
    wrong = {name: value for name, value in flags.items() if not isinstance(value, bool)}
    assert not wrong, f"these traits must be True or False, but are {wrong}"
    tabular = issubclass(plugin, Tabular)
    assert plugin.simulated == tabular, (
        f"a simulated evaluator must extend automl.contracts.Tabular, but simulated is {plugin.simulated}"
    )


def _check_methods(plugin: type[Evaluator]) -> None:
    pairs: list[tuple[Callable[..., object], Callable[..., object]]] = [
        (plugin.evaluate, Evaluator.evaluate),
        (plugin.score, Evaluator.score),
        (plugin.check_data, Evaluator.check_data),
        (plugin.mistakes, Evaluator.mistakes),
        (plugin.rung_options, Evaluator.rung_options),
        (plugin.completed_options, Evaluator.completed_options),
        (plugin.baseline_arms, Evaluator.baseline_arms),
    ]
    for method, agreed in pairs:
        taken, expected = (list(inspect.signature(each).parameters) for each in (method, agreed))
        assert taken == expected, (
            f"{agreed.__name__} must take the arguments {expected}, but takes {taken}; rename them"
        )


def _check_mistakes(plugin: type[Evaluator], given: Mapping[str, Any]) -> None:
    evaluator = plugin(plugin.Options.model_validate(dict(given)))
    for mistake in evaluator.mistakes(_space(plugin), _outline(plugin)):
        texts = (
            isinstance(mistake, tuple)
            and len(mistake) == 2
            and all(isinstance(part, str) for part in mistake)
        )
        assert texts, f"a mistake must be a pair of an option and a text, but is {mistake!r}"


def _check_changes(plugin: type[Evaluator], given: Mapping[str, Any]) -> None:
    completed = plugin.completed_options(dict(given), _outline(plugin))
    evaluator = plugin(plugin.Options.model_validate(dict(completed)))
    changed = evaluator.rung_options(lambda steps: [1, steps], _space(plugin))
    plugin.Options.model_validate({**completed, **changed})


def _check_arms(plugin: type[Evaluator]) -> None:
    for arm in plugin.baseline_arms(_outline(plugin)):
        find_space(arm.space)
        plugins.build("strategies", arm.strategy)


def _space(plugin: type[Evaluator]) -> Space:
    return plugin.example_space or Space({"x": Choice((1, 2))})


def _outline(plugin: type[Evaluator]) -> TaskOutline:
    """A task of accuracy, with data where the evaluator needs some."""
    episodes = contracts.EpisodeSpec() if plugin.needs_episodes else None
    return TaskOutline((Metric("accuracy", Direction.MAXIMIZE),), plugin.needs_data, episodes)
