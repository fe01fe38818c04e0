"""Whether the plug-ins of a study are known, take their options, and fit each other in every arm."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

from automl import plugins
from automl.config import validation
from automl.config.checks import evaluator_class
from automl.config.defaults import BASELINE, BASELINE_ARM, NO_PRUNER
from automl.config.document import KeyPath, Mistake, one_line
from automl.config.shorthand_draft import Use
from automl.config.study import Arm
from automl.contracts import Builder, Evaluator, Metric, PluginSpec, TaskOutline, UserError
from automl.space import Space

RANDOM = Arm(strategy=BASELINE)


def check_plugin(use: Use) -> Iterator[Mistake]:
    """An unknown plug-in, or options that it does not take."""
    try:
        for path, text in validation.check(plugins.load(use.kind, use.name).Options, use.options):
            yield Mistake((*use.path, "options", *path), text)
    except UserError as error:
        yield Mistake((*use.path, "options"), one_line(error))


def check_protocol(evaluator: PluginSpec) -> Iterator[Mistake]:
    """The study's own evaluator trains configurations; one that searches belongs to an arm."""
    plugin = evaluator_class(evaluator)
    if plugin is not None and plugin.one_shot:
        text = f"{evaluator.name} belongs to an arm, but got it as the study's evaluator"
        yield Mistake(("evaluator",), f"{text}; write evaluator: {_trainers('network')}")


def check_arm(name: str, arm: Arm, metrics: int, where: KeyPath) -> Iterator[Mistake]:
    """Which keys of an arm go together."""
    plugin = arm.evaluator and evaluator_class(arm.evaluator)
    one_shot = bool(plugin and plugin.one_shot)
    parts = {"strategy": arm.strategy, "evaluator": arm.evaluator, "space": arm.space}
    given = [key for key, part in parts.items() if part is not None]
    given += ["pruner"] if arm.pruner != NO_PRUNER else []
    if name == BASELINE_ARM and arm.model_copy(update={"cpus": None, "gpus": None}) != RANDOM:
        text = f"the arm {BASELINE_ARM} is the baseline and must be {{strategy: {BASELINE.name}}}, but is not"
        yield Mistake(where, f"{text}; give this arm another name")
    elif arm.reference is not None and given:
        yield Mistake(where, f"a reference must stand alone, but got {', '.join(given)} too; remove them")
    elif one_shot and {"strategy", "pruner"} & set(given):
        text = "its evaluator searches by itself, but the arm has a strategy or pruner too; remove it"
        yield Mistake(where, text)
    elif arm.reference is None and not one_shot and arm.strategy is None:
        text = "an arm must have a strategy, a one-shot evaluator, or a reference, but got none of them"
        yield Mistake(where, f"{text}; write {{strategy: tpe}}, for instance")
    if metrics > 1 and arm.pruner != NO_PRUNER:
        text = f"pruning needs a single metric, but got {metrics}; remove the pruner"
        yield Mistake((*where, "pruner"), text)


def check_strategy(
    strategy: PluginSpec, space: Space, metrics: list[Metric], path: KeyPath
) -> Iterator[Mistake]:
    """Whether the strategy can search this space and these metrics. Its options must be valid."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Optuna marks several samplers as experimental
            plugin = plugins.build("strategies", strategy)
            plugin.check_search(space, metrics)
            plugin.sampler(space, metrics, 0, 0)
    except UserError as error:
        yield Mistake(path, one_line(error))


def check_strategy_builder(strategy: PluginSpec, evaluator: PluginSpec, path: KeyPath) -> Iterator[Mistake]:
    """Whether the evaluator trains what the strategy needs built. The strategy must be known."""
    builder = plugins.load("strategies", strategy.name).builder
    plugin = evaluator_class(evaluator)
    if builder is not None and plugin is not None and plugin.builder != builder:
        text = f"{strategy.name} needs an evaluator that trains a {builder}, but got {evaluator.name}"
        yield Mistake(path, f"{text}; write evaluator: {_trainers(builder)} or take another strategy")


def check_builders(
    space: Space, evaluator: PluginSpec, protocol: PluginSpec, where: KeyPath
) -> Iterator[Mistake]:
    """Whether the space builds the networks that the evaluators train."""
    plugin, trainer = evaluator_class(evaluator), evaluator_class(protocol)
    if plugin is None:
        return
    if plugin.builder is not None and not space.builds(plugin.builder):
        text = f"the evaluator {evaluator.name} needs a space that builds a {plugin.builder}, but this one"
        yield Mistake(where, f"{text} does not; see automl list spaces")
    if plugin.one_shot and trainer is not None and trainer.builder != "network":
        text = f"the study's evaluator must train the genotype, but got {protocol.name}"
        yield Mistake(where, f"{text}; write evaluator: {_trainers('network')}")


def check_fit(
    evaluator: PluginSpec, space: Space, task: TaskOutline, path: KeyPath, arm: KeyPath
) -> Iterator[Mistake]:
    """What the evaluator at `path` itself says against the space and the task of the arm at `arm`."""
    if evaluator_class(evaluator) is None:
        return
    for option, text in plugins.build("evaluators", evaluator).mistakes(space, task):
        yield Mistake((*path, "options", *option.split(".")) if option else arm, " ".join(text.split()))


def check_episodes(evaluator: PluginSpec, task: TaskOutline, where: KeyPath) -> Iterator[Mistake]:
    """Few-shot tasks and evaluators that learn from episodes belong together."""
    plugin = evaluator_class(evaluator)
    if plugin is None:
        return
    if plugin.needs_episodes and task.episodes is None:
        text = f"the evaluator {evaluator.name} needs few-shot tasks, but episodes is missing"
        yield Mistake(("task",), f"{text}; write episodes: {{ways: 5, shots: 1}}, for instance")
    elif task.episodes is not None and not plugin.needs_episodes:
        text = f"few-shot tasks need an evaluator that meta-learns, but got {evaluator.name}"
        names = _evaluators(lambda plugin: plugin.needs_episodes)
        yield Mistake(where, f"{text}; write evaluator: {names}, or remove task.episodes")


def check_finals(final_seeds: int, evaluator: PluginSpec) -> Iterator[Mistake]:
    """Winners that are looked up need a column of fresh-seed values."""
    plugin = evaluator_class(evaluator)
    if final_seeds and plugin is not None and plugin.simulated and not evaluator.options.get("fresh"):
        text = f"the evaluator {evaluator.name} needs the option fresh for it, but got seeds={final_seeds}"
        yield Mistake(("final", "seeds"), f"{text}; name a column, or write final: {{seeds: 0}}")


def _trainers(builder: Builder) -> str:
    return _evaluators(lambda plugin: plugin.builder == builder and not plugin.one_shot)


def _evaluators(fits: Callable[[type[Evaluator]], bool]) -> str:
    """The names of the known evaluators that fit, for advice."""
    known = {name: evaluator_class(PluginSpec(name)) for name in plugins.names("evaluators")}
    return " or ".join(name for name, plugin in known.items() if plugin and fits(plugin))
