"""Writes out the shorthands of a study file: `evaluator: network` becomes `{name: network, options: {}}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from automl.config.constraining import expand_constraints
from automl.config.defaults import BASELINE, BASELINE_ARM
from automl.config.document import KeyPath, Mistake, nearest, shown
from automl.config.memories import add_twins, expand_memory
from automl.config.promotion import expand_promote
from automl.config.shorthand_draft import Draft, Use, without_nulls
from automl.config.shorthand_spaces import expand_space
from automl.config.sizes import in_bytes
from automl.config.targets import expand_targets
from automl.config.transfers import expand_transfers
from automl.contracts import Json

MAX_SEEDS = 1000
MOST_LOOKS = 200  # seeds of a campaign that adds them by itself


def expand(raw: Json, metric_directions: Mapping[str, str]) -> Draft:
    """The study of a file's plain data, written out. Keys without a value count as not written."""
    draft = Draft(data=without_nulls(raw))
    data = draft.data
    if isinstance(data.get("task"), dict):
        data["task"] = without_nulls(data["task"])
        _expand_metrics(draft, data["task"], metric_directions)
        _expand_nulls(data["task"], "read", "columns", "split", "episodes")
        _expand_columns(draft, data["task"])
    _expand_nulls(data, "budget", "limits", "trial", "retry", "final", "schedule")
    _expand_size(draft)
    expand_constraints(draft, metric_directions)
    expand_memory(draft, data, ())
    expand_promote(draft)
    expand_transfers(draft)
    expand_targets(draft)
    expand_space(draft, data, ())
    for key, kind in (("evaluator", "evaluators"), ("executor", "executors")):
        _expand_plugin(draft, data, (key,), kind)
    _expand_seeds(draft)
    _expand_arms(draft)
    dataset = isinstance(data.get("task"), dict) and data["task"].get("dataset")
    data.setdefault("final", {"seeds": 3 if dataset else 0})
    return draft


def _expand_nulls(data: Json, *keys: str) -> None:
    for key in keys:
        if isinstance(data.get(key), dict):
            data[key] = without_nulls(data[key])


def _expand_size(draft: Draft) -> None:
    trial = draft.data.get("trial")
    memory = trial.get("memory") if isinstance(trial, dict) else None
    if isinstance(trial, dict) and isinstance(memory, str):
        try:
            trial["memory"] = in_bytes(memory)
        except ValueError as error:
            draft.refuse(("trial", "memory"), str(error))


def _expand_columns(draft: Draft, task: Json) -> None:
    """Columns that say how rows belong together may stand with the other columns."""
    columns = task.get("columns")
    for key in ("group", "time"):
        if isinstance(columns, dict) and key in columns:
            split = task.setdefault("split", {})
            if not isinstance(split, dict):
                continue
            draft.origins["task", "split", key] = ("task", "columns", key)
            split.setdefault(key, columns.pop(key))


def _expand_metrics(draft: Draft, task: Json, directions: Mapping[str, str]) -> None:
    metric, direction, metrics = (task.pop(key, None) for key in ("metric", "direction", "metrics"))
    path: KeyPath = ("task", "metrics")
    if metrics is not None and (metric is not None or direction is not None):
        text = "either metric (and direction) or metrics must be given, but got both; keep metrics"
        draft.refuse(path, text)
    elif metrics is None and metric is None:
        text = f"metric must be given, but is missing; write one of {', '.join(directions)}, or your own"
        draft.broken.add(path)
        draft.mistakes.append(Mistake(("task",), text))
    elif metrics is None:
        draft.origins |= {(*path, 0): ("task", "metric"), (*path, 0, "name"): ("task", "metric")}
        draft.origins |= {(*path, 0, "direction"): ("task", "direction"), path: ("task", "metric")}
        task["metrics"] = [_metric(draft, (*path, 0), metric, direction, directions)]
    elif isinstance(metrics, dict):
        pairs = enumerate(metrics.items())
        for number, (name, _) in enumerate(metrics.items()):
            draft.origins |= {(*path, number, part): (*path, name) for part in ("name", "direction")}
        task["metrics"] = [
            _metric(draft, (*path, number, "name"), name, how, directions) for number, (name, how) in pairs
        ]
    elif isinstance(metrics, list):
        for number in range(len(metrics)):
            draft.origins |= {(*path, number, part): (*path, number) for part in ("name", "direction")}
        task["metrics"] = [
            _metric(draft, (*path, number), name, None, directions) for number, name in enumerate(metrics)
        ]
    else:
        draft.refuse(
            path, f"must be [name, …] or {{name: direction}}, but got {shown(metrics)}; use metric for one"
        )


def _metric(
    draft: Draft, path: KeyPath, name: object, direction: object, directions: Mapping[str, str]
) -> Json:
    known = directions.get(name) if isinstance(name, str) else None
    if not isinstance(name, str) or not name:
        draft.refuse(path, f"must be the name of a metric, but got {shown(name)}; such as accuracy")
    elif known is None and direction is None:
        hint = f"write its direction: maximize or minimize; {nearest(name, directions)}"
        draft.refuse(path, f"the direction of {shown(name)} must be known, but is not; {hint}")
    elif known is not None and direction not in (None, known):
        draft.refuse(path, f"direction of {name} must be {known}, but got {shown(direction)}; leave it out")
    return {"name": name, "direction": direction if direction is not None else known}


def _expand_plugin(draft: Draft, owner: Json, path: KeyPath, kind: str) -> None:
    """Write out the plug-in at `path`, whose last part is its key in `owner`."""
    key = str(path[-1])
    value = owner.get(key)
    if value is None:
        return
    name: str
    options: Any = {}
    if isinstance(value, str):
        name = value
        draft.origins |= {(*path, part): path for part in ("name", "options")}
    elif isinstance(value, dict) and len(value) == 1:
        name, options = next(iter(value.items()))
        options = {} if options is None else options
        draft.origins |= {(*path, "name"): (*path, name), (*path, "options"): (*path, name)}
    else:
        text = f"must be a name or {{name: {{option: value}}}}, but got {shown(value)}; write one name"
        draft.refuse(path, text)
        return
    owner[key] = {"name": name, "options": options}
    if not isinstance(options, dict):
        rule = f"the options of {name} must be a mapping, but got {shown(options)}"
        draft.refuse((*path, "options"), f"{rule}; write {{{name}: {{option: value}}}}")
    else:
        draft.plugins.append(Use(kind, name, options, path))


def _expand_seeds(draft: Draft) -> None:
    seeds = draft.data.get("seeds")
    if isinstance(seeds, dict):
        draft.data["seeds"] = [0]
        first = _seeds_of_mapping(draft, without_nulls(seeds))
        draft.data["seeds"] = list(range(first))
        return
    if isinstance(seeds, bool) or not isinstance(seeds, int):
        return
    if 1 <= seeds <= MAX_SEEDS:
        draft.data["seeds"] = list(range(seeds))
    else:
        draft.refuse(
            ("seeds",), f"must be 1 to {MAX_SEEDS} seeds, but got {seeds}; write how many, such as 3"
        )


def _seeds_of_mapping(draft: Draft, seeds: Json) -> int:
    """How many seeds a campaign begins with, by `{until: decided, …}` or `{exactly: n}`."""
    known = ("until", "at_least", "at_most") if "until" in seeds or "exactly" not in seeds else ("exactly",)
    for key in seeds:
        if key not in known:
            hint = nearest(str(key), known)
            draft.refuse(("seeds", key), f"must be a key of seeds, but got {shown(key)}; {hint}")
    if "exactly" in known:
        count = _count(draft, "exactly", seeds["exactly"], 1, MAX_SEEDS)
        draft.looks = {"last": count}
        return count
    if seeds.get("until") != "decided":
        text = f"until must be decided, but got {shown(seeds.get('until'))}"
        draft.refuse(("seeds",), f"{text}; write {{until: decided, at_least: 3, at_most: 20}}, or how many")
    most = _count(draft, "at_most", seeds.get("at_most", 20), 2, MOST_LOOKS)
    least = _count(draft, "at_least", seeds.get("at_least", min(3, most)), 2, most)
    draft.looks = {"last": most, "until_decided": True}
    return least


def _count(draft: Draft, key: str, value: object, least: int, most: int) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
        return value
    rule = f"must be {least} to {most} seeds, but got {shown(value)}"
    draft.refuse(("seeds", key), f"{rule}; write how many, such as {least}")
    return least


def _expand_arms(draft: Draft) -> None:
    arms = draft.data.get("arms", {})
    if not isinstance(arms, dict):
        draft.data.pop("baseline", None)
        return
    draft.data["arms"] = arms = {
        name: without_nulls(arm) if isinstance(arm, dict) else {} if arm is None else arm
        for name, arm in arms.items()
    }
    for name, arm in arms.items():
        if isinstance(arm, dict):
            for key, kind in (("strategy", "strategies"), ("pruner", "pruners"), ("evaluator", "evaluators")):
                _expand_plugin(draft, arm, ("arms", name, key), kind)
            expand_space(draft, arm, ("arms", name))
            expand_memory(draft, arm, ("arms", name))
    add_twins(draft)
    arms = draft.data["arms"]
    only_references = arms and all(isinstance(arm, dict) and "reference" in arm for arm in arms.values())
    if _wants_baseline(draft) and BASELINE_ARM not in arms and not only_references:
        draft.data["arms"] = {BASELINE_ARM: {"strategy": {"name": BASELINE.name, "options": {}}}, **arms}
        draft.origins["arms", BASELINE_ARM] = ("arms",)
        draft.plugins.append(Use("strategies", BASELINE.name, {}, ("arms", BASELINE_ARM, "strategy")))


def _wants_baseline(draft: Draft) -> bool:
    """Whether the arm `random` is added; `baseline: false` leaves it out, and the report says so."""
    wanted, arms = draft.data.pop("baseline", True), draft.data["arms"]
    if not isinstance(wanted, bool):
        draft.refuse(("baseline",), f"must be true or false, but got {shown(wanted)}; leave it out for true")
    elif not wanted and (not arms or BASELINE_ARM in arms):
        has = f"the arm {BASELINE_ARM}" if arms else "no arm"
        draft.refuse(("baseline",), f"must be true for a study with {has}, but got False; correct arms")
    return wanted is not False
