"""What a study must hold beyond the types of its fields: files, values and rules between keys."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cronsim import CronSim, CronSimError

from automl import origins, plugins
from automl.config.amounts import Budget, Limits
from automl.config.document import KeyPath, Mistake, nearest, one_line, shown
from automl.config.schedule import Schedule
from automl.config.study import Final, SpaceSpec
from automl.contracts import (
    RESERVED_METRICS,
    Evaluator,
    PluginSpec,
    SplitSpec,
    TaskSpec,
    UserError,
)
from automl.files import is_database, is_url, named_database, named_url
from automl.space import Space
from automl.spaces import whole_space


def load_space(spec: SpaceSpec, path: KeyPath) -> tuple[Space | None, list[Mistake]]:
    """The space that `spec` names, or what keeps it from being built."""
    at = (*path, "parameters") if spec.parameters else path
    try:
        space = whole_space(spec.model_dump())
        at = (*path, "fix")
        space = _fixed(space, spec.fix)
        at = (*path, "narrow")
        return space.narrow(spec.narrow), []
    except UserError as error:
        return None, [Mistake(at, one_line(error))]


def _fixed(space: Space, values: Mapping[str, Any]) -> Space:
    fixed = space.fix(values)
    for name in values:
        if name not in fixed.parameters:
            needed = {parent: list(options) for parent, options in space.parameters[name].when.items()}
            text = f"fix {name!r}: must be a parameter that is used, but it needs {needed}; leave it out"
            raise UserError(f"{text}, or correct what else is fixed")
    return fixed


def check_dataset(name: str, folder: Path, path: KeyPath) -> tuple[str, list[Mistake]]:
    """The dataset with its file, if it is one, as an absolute path; and what is wrong with it, at `path`."""
    if name in plugins.names("datasets"):
        return name, []
    try:
        if is_database(name):
            return named_database(name, "task.dataset", folder), []
        if is_url(name):
            return named_url(name, "task.dataset"), []
        for base in (folder, Path.cwd()):
            if (base / name).exists():
                return str((base / name).resolve()), []
        if ":" in name:
            value = plugins.load_attribute(name)
            origins.as_function(value, name, 0, "must name a function without arguments")
            return name, []
    except (OSError, ValueError) as error:
        return name, [Mistake(path, f"must be a readable file, but got {shown(name)}: {error}; correct it")]
    except UserError as error:
        return name, [Mistake(path, one_line(error))]
    if "/" in name or Path(name).suffix:
        places = dict.fromkeys(str(base.resolve()) for base in (folder, Path.cwd()))  # often the same one
        text = f"the file must exist, but {shown(name)} is not in {' nor in '.join(places)}"
        return name, [Mistake(path, f"{text}; correct the path")]
    text = plugins.unknown("dataset", name, plugins.names("datasets"))
    return name, [Mistake(path, f"{text}; or name a file")]


def check_test(name: str, folder: Path) -> tuple[str, list[Mistake]]:
    """The file of the test set as an absolute path, and what is wrong with it."""
    path = ("task", "test")
    if is_database(name) or name in plugins.names("datasets") or (":" in name and "/" not in name):
        text = f"must be the file of a table, but got {shown(name)}; write one such as held_out.csv"
        return name, [Mistake(path, text)]
    return check_dataset(name, folder, path)


def check_split(split: SplitSpec, own_test: bool) -> Iterator[Mistake]:
    """Something must be left to train on. `own_test`: the rows that are tested are in a file of their own."""
    if own_test:
        if "test" in split.model_fields_set and split.test:
            text = f"must be left out where task.test names the rows, but got {split.test}; keep one of them"
            yield Mistake(("task", "split", "test"), text)
        return
    if split.validation + split.test >= 1:
        text = f"validation + test < 1 must hold, but got ({split.validation}, {split.test}); lower them"
        yield Mistake(("task", "split"), text)


def check_task(task: TaskSpec, evaluator: PluginSpec | None, known: Mapping[str, str]) -> Iterator[Mistake]:
    """Metrics, and whether the evaluator has the data it needs."""
    names = [metric.name for metric in task.metrics]
    if len(set(names)) < len(names):
        yield Mistake(("task", "metrics"), f"metrics must differ, but got {names}; write each once")
    for number, name in enumerate(names):
        if name in RESERVED_METRICS:
            text = f"must not be one that is recorded for every trial ({', '.join(RESERVED_METRICS)})"
            text = f"{text}, but got {shown(name)}; give the metric another name"
            yield Mistake(("task", "metrics", number, "name"), text)
    plugin = evaluator and evaluator_class(evaluator)
    if not evaluator or not plugin or not plugin.needs_data:
        return
    if task.dataset is None:
        text = f"the evaluator {evaluator.name} needs a dataset, but none is given; name one"
        yield Mistake(("task",), f"{text} (automl list datasets)")
    for number, name in enumerate(names):
        if name not in known:
            text = f"must be a metric that {evaluator.name} measures, but got {shown(name)}"
            yield Mistake(("task", "metrics", number, "name"), f"{text}; {nearest(name, known)}")


def check_budget(budget: Budget, limits: Limits | None) -> Iterator[Mistake]:
    """At least one limit. A reserve is a part of the campaign's time."""
    if budget.device_seconds is None and budget.trials is None and budget.wall_seconds is None:
        text = "at least one limit must be given, but got none; write device_seconds: 120, for instance"
        yield Mistake(("budget",), text)
    if limits is not None and limits.reserve and limits.wall_seconds is None:
        text = "a reserve must be part of limits.wall_seconds, but there is none; write both, or leave it out"
        yield Mistake(("limits", "reserve"), text)


def check_seeds(seeds: list[int]) -> Iterator[Mistake]:
    """No seed twice."""
    twice = sorted({seed for seed in seeds if seeds.count(seed) > 1})
    if twice:
        yield Mistake(("seeds",), f"seeds must differ, but got {twice} more than once; write each once")


def _check_refit(final: Final, plugin: type[Evaluator]) -> Iterator[Mistake]:
    """It fits again what a retraining has left."""
    if not final.seeds:
        text = "needs a retraining, whose model is tested, but got true with seeds=0"
        yield Mistake(("final", "refit"), f"{text}; write final: {{seeds: 1, refit: true}}, for instance")
    if not plugin.refits:
        text = "needs an evaluator that fits a table, such as pipeline, but got true with another one"
        yield Mistake(("final", "refit"), f"{text}; leave it out")


def check_final(final: Final, task: TaskSpec, evaluator: PluginSpec | None) -> Iterator[Mistake]:
    """Retraining needs data, unless the evaluator can run again, or look up a fresh value, without any."""
    if final.top > 1 and not final.seeds:
        text = f"must be 1 without retrainings, but got {final.top} with seeds=0"
        yield Mistake(("final", "top"), f"{text}; write final: {{seeds: 3, top: {final.top}}}, for instance")
    plugin = evaluator and evaluator_class(evaluator)
    if final.refit and plugin:
        yield from _check_refit(final, plugin)
    if not plugin or plugin.reruns_without_data or plugin.simulated:
        return
    if final.seeds and task.dataset is None:
        text = f"retraining needs a dataset, but got seeds={final.seeds} without one"
        yield Mistake(("final", "seeds"), f"{text}; write final: {{seeds: 0}} or name a dataset")


def has_test_values(task: TaskSpec | None, evaluator: PluginSpec | None) -> bool:
    """Whether winners can have values on a test set; true as well where something else is wrong."""
    plugin = evaluator and evaluator_class(evaluator)
    return task is None or task.dataset is not None or not plugin or plugin.simulated


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


def evaluator_class(spec: PluginSpec) -> type[Evaluator] | None:
    """The evaluator of that name; None for one that is unknown or broken, which is another mistake."""
    try:
        return plugins.load("evaluators", spec.name)
    except UserError:
        return None
