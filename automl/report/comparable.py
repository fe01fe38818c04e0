"""Whether values of two campaigns can be compared, and whether they are of the same data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import ValidationError

from automl.contracts import RunError, TaskSpec
from automl.report.standing import Standing

_ONLY_PRECISION: Final = {"count", "more_shots"}  # of episodes: how exactly they measure


@dataclass(frozen=True)
class Comparable:
    """`obstacle`: why values cannot be compared; empty when they can.

    `data`: whether both are on the same data, read and split in the same way. `notes`: what of that differs.
    """

    obstacle: str
    data: Literal["same", "other", "unknown"]
    notes: tuple[str, ...]


def comparable(now: Standing, before: Standing) -> Comparable:
    """Whether `now` can be compared with `before`. Raises `RunError` for a task that is not whole."""
    task, earlier = _task(now), _task(before)
    obstacle = _obstacle(now, before, task, earlier)
    pairs = {
        "how the data are read": (task.read, earlier.read),
        "what the columns are": (task.columns, earlier.columns),
        "the split of the data": (task.split, earlier.split),
    }
    notes = [f"{what} changed" for what, (new, old) in pairs.items() if new != old]
    without = task.dataset is None and earlier.dataset is None and now.data is None and before.data is None
    if now.data != before.data and None not in (now.data, before.data):
        notes.insert(0, "the data changed")
    if without and _code(now) != _code(before):
        notes.append("the code changed")
    if notes:
        return Comparable(obstacle, "other", tuple(notes))
    if not without and None in (now.data, before.data):
        unknown = before.campaign if before.data is None else now.campaign
        return Comparable(obstacle, "unknown", (f"the store has no digest of the data of {unknown}",))
    return Comparable(obstacle, "same", ())


def measured(standing: Standing) -> str:
    """A key of what values are of: campaigns with the same one may be ranked together."""
    task = _task(standing)
    parts = {
        "metric": [standing.metric.name, standing.metric.direction.value],
        "dataset": dataset_name(task.dataset),
        "target": task.target,
        "episodes": _episodes(task),
        "reading": [task.read.model_dump(), task.columns.model_dump(), task.split.model_dump()],
        "data": standing.data,
        "without": [_evaluator(standing), _code(standing)] if task.dataset is None else None,
    }
    return json.dumps(parts, sort_keys=True, default=str)


def dataset_name(dataset: str | None) -> str | None:
    """The dataset without the folder it was in."""
    return Path(dataset).name if dataset and Path(dataset).is_absolute() else dataset


def _obstacle(now: Standing, before: Standing, task: TaskSpec, earlier: TaskSpec) -> str:
    pairs = [
        ("metric", before.metric.name, now.metric.name),
        ("direction", before.metric.direction.value, now.metric.direction.value),
        ("dataset", dataset_name(earlier.dataset), dataset_name(task.dataset)),
        ("target", earlier.target, task.target),
        ("episodes", _episodes(earlier), _episodes(task)),
    ]
    if task.dataset is None and earlier.dataset is None:  # the evaluator is what values are of
        pairs.append(("evaluator", _evaluator(before), _evaluator(now)))
    for name, old, new in pairs:
        if old != new:
            values = f"{_shown(old)} in {before.campaign}, {_shown(new)} in {now.campaign}"
            return f"they have another {name}: {values}"
    return ""


def _task(standing: Standing) -> TaskSpec:
    try:
        return TaskSpec.from_json(standing.spec["task"])
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise RunError(
            f"the ledger is damaged: the task of {standing.campaign} must be whole, but has "
            f"{'.'.join(map(str, first['loc']))}: {first['msg']}; restore a backup (mlflow/restore.sh)"
        ) from error


def _episodes(task: TaskSpec) -> Mapping[str, Any] | None:
    return None if task.episodes is None else task.episodes.model_dump(exclude=_ONLY_PRECISION)


def _evaluator(standing: Standing) -> Mapping[str, Any]:
    spec = standing.settings.evaluator
    options = {
        key: dataset_name(value) if isinstance(value, str) else value for key, value in spec.options.items()
    }
    return {"name": spec.name, **options}


def _code(standing: Standing) -> Any:
    identity = standing.provenance.get("identity")
    return identity.get("code") if isinstance(identity, dict) else None


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        value = {key: item for key, item in value.items() if item is not None}
        return json.dumps(value, ensure_ascii=False)
    return "none" if value is None else str(value)
