"""What a study must hold beyond the types of its fields: plug-ins, files and rules between keys."""

from __future__ import annotations

import re
import warnings
import zoneinfo
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cronsim import CronSim, CronSimError

from automl import plugins
from automl.config import validation
from automl.config.document import KeyPath, Mistake, nearest, shown
from automl.config.shorthands import Use
from automl.config.study import Arm, Budget, Final, Schedule, SpaceSpec, SplitSpec, TaskSpec
from automl.contracts import Metric, PluginSpec, UserError
from automl.space import Space

RANDOM = Arm(strategy=PluginSpec("random"))


def check_plugin(use: Use) -> Iterator[Mistake]:
    """An unknown plug-in, or options that it does not take."""
    try:
        plugin = plugins.load(use.kind, use.name)
        options = getattr(plugin, "Options", None)
        if options is None:
            what = plugins.SINGULAR[use.kind]
            raise UserError(f"a {what} must have Options, but {use.name!r} has none; see the README")
        for path, text in validation.check(options, use.options):
            yield Mistake((*use.path, "options", *path), text)
    except UserError as error:
        yield Mistake((*use.path, "options"), _line(error))


def load_space(spec: SpaceSpec, path: KeyPath) -> tuple[Space | None, list[Mistake]]:
    """The space that `spec` names, or what keeps it from being built."""
    at = path
    try:
        space = plugins.load("spaces", spec.name)
        if not isinstance(space, Space):
            raise UserError(f"must name a Space, but {spec.name!r} is {shown(space)}; see automl list spaces")
        at = (*path, "fix")
        space = _fixed(space, spec.fix)
        at = (*path, "narrow")
        return space.narrow(spec.narrow), []
    except UserError as error:
        return None, [Mistake(at, _line(error))]


def _fixed(space: Space, values: Mapping[str, Any]) -> Space:
    fixed = space.fix(values)
    for name in values:
        if name not in fixed.parameters:
            needed = {parent: list(options) for parent, options in space.parameters[name].when.items()}
            text = f"fix {name!r}: must be a parameter that is used, but it needs {needed}; leave it out"
            raise UserError(f"{text}, or correct what else is fixed")
    return fixed


def check_dataset(name: str, folder: Path) -> tuple[str, list[Mistake]]:
    """The dataset with its file, if it is one, as an absolute path; and what is wrong with it."""
    path = ("task", "dataset")
    if name in plugins.names("datasets"):
        return name, []
    try:
        for base in (folder, Path.cwd()):
            if (base / name).exists():
                return str((base / name).resolve()), []
        if ":" in name:
            plugins.load_attribute(name)
            return name, []
    except (OSError, ValueError) as error:
        return name, [Mistake(path, f"must be a readable file, but got {shown(name)}: {error}; correct it")]
    except UserError as error:
        return name, [Mistake(path, _line(error))]
    if "/" in name or Path(name).suffix:
        text = f"the file must exist, but {shown(name)} is neither in {folder} nor in {Path.cwd()}"
        return name, [Mistake(path, f"{text}; correct the path")]
    text = plugins.unknown("dataset", name, plugins.names("datasets"))
    return name, [Mistake(path, f"{text}; or name a file")]


def check_split(split: SplitSpec) -> Iterator[Mistake]:
    """Something must be left to train on."""
    if split.validation + split.test >= 1:
        text = f"validation + test < 1 must hold, but got ({split.validation}, {split.test}); lower them"
        yield Mistake(("task", "split"), text)


def check_task(task: TaskSpec, evaluator: PluginSpec | None, known: Mapping[str, str]) -> Iterator[Mistake]:
    """Metrics, and whether the evaluator has the data it needs."""
    names = [metric.name for metric in task.metrics]
    if len(set(names)) < len(names):
        yield Mistake(("task", "metrics"), f"metrics must differ, but got {names}; write each once")
    if evaluator is None or not trait(evaluator, "needs_data"):
        return
    if task.dataset is None:
        text = f"the evaluator {evaluator.name} needs a dataset, but none is given; name one"
        yield Mistake(("task",), f"{text} (automl list datasets)")
    for number, name in enumerate(names):
        if name not in known:
            text = f"must be a metric that {evaluator.name} measures, but got {shown(name)}"
            yield Mistake(("task", "metrics", number, "name"), f"{text}; {nearest(name, known)}")


def check_budget(budget: Budget) -> Iterator[Mistake]:
    """At least one limit."""
    if budget.device_seconds is None and budget.trials is None and budget.wall_seconds is None:
        text = "at least one limit must be given, but got none; write device_seconds: 120, for instance"
        yield Mistake(("budget",), text)


def check_seeds(seeds: list[int]) -> Iterator[Mistake]:
    """No seed twice."""
    twice = sorted({seed for seed in seeds if seeds.count(seed) > 1})
    if twice:
        yield Mistake(("seeds",), f"seeds must differ, but got {twice} more than once; write each once")


def check_final(final: Final, task: TaskSpec, evaluator: PluginSpec | None) -> Iterator[Mistake]:
    """Retraining needs data, except for a function, which only runs again, and for a table."""
    if evaluator is None or trait(evaluator, "reruns_without_data") or trait(evaluator, "simulated"):
        return
    if final.seeds and task.dataset is None:
        text = f"retraining needs a dataset, but got seeds={final.seeds} without one"
        yield Mistake(("final", "seeds"), f"{text}; write final: {{seeds: 0}} or name a dataset")


def check_schedule(schedule: Schedule) -> Iterator[Mistake]:
    """Cron expression and time zone."""
    text = cron_mistake(schedule.cron)
    if text:
        yield Mistake(("schedule", "cron"), text)
    try:
        zoneinfo.ZoneInfo(schedule.timezone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        text = f"must be a time zone of the IANA database, but got {shown(schedule.timezone)}"
        yield Mistake(("schedule", "timezone"), f"{text}; write one such as Europe/Paris or UTC")


def cron_mistake(cron: str) -> str | None:
    """What is wrong with a cron expression, or None."""
    rule = "must be five fields (minute hour day month weekday)"
    if len(cron.split()) != 5:
        return f'{rule}, but got {shown(cron)}; write one such as "0 2 * * *"'
    try:
        next(CronSim(cron, datetime(2026, 1, 1, tzinfo=UTC)))
    except (CronSimError, ValueError) as error:
        return f'{rule}, but got {shown(cron)}: {error}; write one such as "0 2 * * *"'
    except StopIteration:
        return f'{rule} that come round, but got {shown(cron)}; write one such as "0 2 * * *"'
    return None


def check_arm(name: str, arm: Arm, metrics: int, where: KeyPath) -> Iterator[Mistake]:
    """Which keys of an arm go together."""
    one_shot = arm.evaluator is not None and trait(arm.evaluator, "one_shot")
    own = [key for key in ("strategy", "evaluator", "space") if getattr(arm, key) is not None]
    own += ["pruner"] if arm.pruner.name != "none" else []
    if name == "random" and arm != RANDOM:
        text = "the arm random is the baseline and must be {strategy: random}, but got something else"
        yield Mistake(where, f"{text}; give this arm another name")
    elif arm.reference is not None and own:
        yield Mistake(where, f"a reference must stand alone, but got {', '.join(own)} too; remove them")
    elif one_shot and {"strategy", "pruner"} & set(own):
        text = "its evaluator searches by itself, but the arm has a strategy or pruner too; remove it"
        yield Mistake(where, text)
    elif arm.reference is None and not one_shot and arm.strategy is None:
        text = "an arm must have a strategy, a one-shot evaluator, or a reference, but got none of them"
        yield Mistake(where, f"{text}; write {{strategy: tpe}}, for instance")
    if metrics > 1 and arm.pruner.name != "none":
        text = f"pruning needs a single metric, but got {metrics}; remove the pruner"
        yield Mistake((*where, "pruner"), text)


def check_strategy(
    strategy: PluginSpec, space: Space, metrics: list[Metric], path: KeyPath
) -> Iterator[Mistake]:
    """Whether the strategy can search this space and these metrics. Its options must be valid."""
    try:
        plugin = plugins.load("strategies", strategy.name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Optuna marks several samplers as experimental
            plugin(plugin.Options(**strategy.options)).sampler(space, metrics, 0, 0)
    except UserError as error:
        yield Mistake(path, _line(error))


def check_screening(strategy: PluginSpec, evaluator: PluginSpec, path: KeyPath) -> Iterator[Mistake]:
    """Whether the evaluator trains what the strategy scores untrained. The strategy must be known."""
    builder = getattr(plugins.load("strategies", strategy.name), "builder", None)
    if builder is not None and trait(evaluator, "builder", unknown=builder) != builder:
        text = f"{strategy.name} needs an evaluator that trains a {builder}, but got {evaluator.name}"
        yield Mistake(path, f"{text}; write evaluator: network or take another strategy")


def check_builders(
    space: Space, evaluator: PluginSpec, protocol: PluginSpec, where: KeyPath
) -> Iterator[Mistake]:
    """Whether the space builds the networks that the evaluators train."""
    builder = trait(evaluator, "builder")
    if builder is not None and getattr(space, builder, None) is None:
        text = f"the evaluator {evaluator.name} needs a space that builds a {builder}, but this one does not"
        yield Mistake(where, f"{text}; see automl list spaces")
    if trait(evaluator, "one_shot") and trait(protocol, "builder", unknown="network") != "network":
        text = f"the study's evaluator must train the genotype, but got {protocol.name}"
        yield Mistake(where, f"{text}; write evaluator: network")


def check_alarm(space: Space, evaluator: PluginSpec, where: KeyPath) -> Iterator[Mistake]:
    """A limit on skip connections that a study writes itself needs a space that has some."""
    alarms = evaluator.options.get("alarms") if trait(evaluator, "one_shot") else None
    offered = {option for item in space.parameters.values() for option in getattr(item, "options", ())}
    if isinstance(alarms, Mapping) and "skips" in alarms and "skip_connect" not in offered:
        text = f"must be left out for a space without the operation skip_connect, but got {alarms['skips']}"
        yield Mistake((*where, "options", "alarms", "skips"), f"{text}; remove it or take another space")


def trait(evaluator: PluginSpec, name: str, *, unknown: Any = None) -> Any:
    """What an evaluator says of itself (see `contracts.Evaluator`); `unknown` when it cannot be loaded."""
    try:
        return getattr(plugins.load("evaluators", evaluator.name), name, None)
    except UserError:
        return unknown


def _line(error: Exception) -> str:
    return re.sub(r"\s*\n\s*", "; ", str(error))
