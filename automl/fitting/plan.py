"""The study that a table and a time make, with every guess told."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from automl import metrics, templates
from automl.config import Study, yamlfile
from automl.config.document import Document
from automl.config.loading import study_of
from automl.config.yamltext import yaml_text
from automl.contracts import Json, UserError
from automl.data.parts import Parts, split_dataset
from automl.data.sources import read
from automl.fitting.families import about_boosters, about_trends, about_weights, space_of
from automl.fitting.limits import about, constraints_of
from automl.fitting.machine_use import MachineUse, machine_use
from automl.report.wording import plural
from automl.tables.monotone import Trend

SHOWN: Final = "study"  # in messages, in the place of a file
UNKNOWN: Final = "log_loss"  # a metric that keys are checked with before the data have decided
FOLDS: Final = {
    4_000: 5,
    20_000: 3,
}  # by the most training rows; each fit of more rows tells more, and takes longer
FEWEST_FOLDS: Final = 2
ENSEMBLE: Final = 25  # steps of the selection
SHARE: Final = 0.4  # of its search's budget that a trial may use before it has a value: it is fitted again
LONGEST_END: Final = 2.5  # seconds that the report may need after the campaign's own time


@dataclass(frozen=True)
class Wishes:
    """What is asked for. `minutes`: on the clock, all included. None: it is guessed, and told.

    `test`: the file of a table that is the sealed test set; None: a part of the rows is. `group`, `time`:
    columns of the split. `cpus`: of this machine; None: all that it has. `columns`, `read`:
    what columns are and how the file is read, as in a study file. `overrides`: of keys of the study, such as
    `task.split.test=0.3`. `refit`: the model that predicts is fitted on all rows after the test. `monotone`:
    `increasing` or `decreasing` by column, see `evaluator.pipeline.monotone`. `weights`: a column, see
    `task.weights`. `infer_limit`, `size_limit`: see `limits.constraints_of`.
    """

    target: str | None = None
    minutes: float = 5.0
    metric: str | None = None
    name: str | None = None
    group: str | None = None
    time: str | None = None
    columns: Mapping[str, Any] | None = None
    read: Mapping[str, Any] | None = None
    overrides: tuple[str, ...] = ()
    cpus: int | None = None
    refit: bool = True
    test: Path | None = None
    monotone: Mapping[str, Trend] | None = None
    weights: str | None = None
    infer_limit: float | None = None
    size_limit: str | float | None = None

    @property
    def seconds(self) -> float:
        """Wall seconds of the campaign itself."""
        asked = 60 * self.minutes
        return asked - min(LONGEST_END, asked / 24)


@dataclass(frozen=True)
class Plan:
    """A study, as it is run and as a file has it. `told`: what was guessed, a line each.

    `notes`: what was found out about the data; `rows`: of training, validation and test; `labels`: the names
    of the classes, which are whole numbers where they are `numeric`.
    """

    study: Study
    keys: Json
    told: tuple[str, ...]
    notes: tuple[str, ...]
    rows: tuple[int, int, int]
    labels: tuple[str, ...]
    numeric: bool

    @property
    def text(self) -> str:
        """The study file, with what was found out and guessed as comments."""
        lines = [f"# {line}" for line in (*self.told, *(f"found: {note}" for note in self.notes))]
        return "\n".join([*lines, yaml_text(self.keys)])


def plan(path: Path, wishes: Wishes) -> Plan:
    """The study of the table `path`. Reads the table.

    Raises `UserError` for a file that is no table, and for data or wishes that no study can be made of.
    """
    told: list[str] = []
    _check_file(path)
    if wishes.test is not None:
        _check_file(wishes.test)
    target = wishes.target
    if target is None:
        target, why = templates.guessed_target(path)
        told.append(f"target: {target}, a guess ({why}); --target names another column")
    keys = _keys(path, target, wishes)
    given = _overridden(keys, wishes)["task"].keys() & {"metric", "metrics"}
    checked = _study(keys, wishes, None if given else UNKNOWN)
    task = checked.task if given else checked.task.model_copy(update={"metrics": templates.NO_METRIC})
    parts = split_dataset(read(task, [checked.source]), path.name, task)
    told += _about(parts, target)
    if not given:
        keys["task"]["metric"], why = templates.guessed_metric(parts)
        told.append(f"metric: {keys['task']['metric']}, a guess ({why}); --metric names another one")
    keys["evaluator"] = {"pipeline": {"folds": _folds(parts, told), "ensemble": ENSEMBLE}}
    keys["evaluator"]["pipeline"] |= _decides(parts, _overridden(keys, wishes)["task"].get("metric"), told)
    keys["evaluator"]["pipeline"] |= about_trends(parts, wishes.monotone, told)
    told += [*about_weights(wishes.weights), *about(keys.get("constraints", {}))]
    told += [about_boosters()] if _overridden(keys, wishes)["space"] == keys["space"] else []
    use = machine_use(parts.dataset.x, wishes.cpus)
    keys["executor"] = use.executor
    keys["budget"] = {"device_seconds": round(wishes.seconds * use.devices / 2, 1)}
    told.append(_about_use(use))
    study = _study(keys, wishes)
    sizes = (len(parts.rows.train), len(parts.rows.validation), parts.tested)
    told.append(
        f"rows: {sizes[0]} to search by cross-validation, {sizes[1]} to look at the fitted winners, "
        f"{sizes[2]} sealed for the test{f', those of {wishes.test.name}' if wishes.test else ''}"
    )
    written = _overridden(keys, wishes)
    numeric = all(label.lstrip("-").isdigit() for label in parts.labels)
    return Plan(study, written, tuple(told), parts.dataset.notes, sizes, parts.labels, numeric)


def _check_file(path: Path) -> None:
    if not path.exists():
        raise UserError(f"automl fit needs a table, but there is no file {path}; correct the path")
    if path.is_dir() or path.suffix in (".npz", ".py"):
        raise UserError(
            f"automl fit needs a table such as data.csv, but got {path}; for images, arrays or code write a "
            f"study: automl init {path}"
        )


def _keys(path: Path, target: str, wishes: Wishes) -> Json:
    """The study file as data, without what the table decides."""
    seconds = wishes.seconds
    columns = {"group": wishes.group, "time": wishes.time}
    split: Json = {"validation": 0.1, "test": 0.2, "seed": 0}
    task: Json = {"dataset": str(path.resolve()), "target": target, "split": split}
    if wishes.test is not None:
        task["test"] = str(wishes.test.resolve())
        del split["test"]
    split |= {key: name for key, name in columns.items() if name is not None}
    named = {"metric": wishes.metric, "weights": wishes.weights}
    task |= {key: name for key, name in named.items() if name is not None}
    limits = constraints_of(wishes.infer_limit, wishes.size_limit)
    given = {"columns": wishes.columns, "read": wishes.read}
    task |= {key: dict(values) for key, values in given.items() if values}
    return {
        "name": wishes.name or templates.slug(path.name),
        "task": task,
        **({"constraints": limits} if limits else {}),
        "space": space_of(wishes.monotone, wishes.weights),
        "evaluator": {"pipeline": {"folds": FEWEST_FOLDS, "ensemble": ENSEMBLE}},
        "budget": {"device_seconds": round(seconds / 2, 1)},
        "limits": {"wall_seconds": round(seconds, 1), "reserve": True},
        "trial": {"share": SHARE},
        "seeds": 1,
        "arms": {"tpe": {"strategy": "tpe", "pruner": "median"}, "random": {"strategy": "random"}},
        "executor": {"local": {"isolate": True}},
        "final": {"seeds": 1, **({"refit": True} if wishes.refit else {})},
    }


def _overridden(keys: Json, wishes: Wishes) -> Json:
    return _document(keys, wishes).data  # type: ignore[no-any-return]


def _document(keys: Json, wishes: Wishes) -> Document:
    document = Document(SHOWN, copy.deepcopy(keys), numbered=False)
    for assignment in wishes.overrides:
        yamlfile.override(document, assignment)
    return document


def _study(keys: Json, wishes: Wishes, metric: str | None = None) -> Study:
    document = _document(keys, wishes)
    if metric is not None:
        document.data["task"]["metric"] = metric
    return study_of(document, Path(keys["task"]["dataset"]).parent)


def _about_use(use: MachineUse) -> str:
    each = plural(use.cpus, "thread")
    many = "one trial at a time" if use.at_once == 1 else f"{use.at_once} trials side by side"
    why = f"; {use.told}" if use.told else ""
    return f"machine: {many}, {each} each{why}; --cpus N takes fewer"


def _about(parts: Parts, target: str) -> list[str]:
    dataset = parts.dataset
    used = [column.name for column in dataset.columns if not column.unused]
    shown = ", ".join(used[:12]) + (f" and {len(used) - 12} more" if len(used) > 12 else "")
    if parts.labels:
        sizes = np.bincount(dataset.y, minlength=len(parts.labels)).tolist()
        counted = sorted(zip(sizes, parts.labels, strict=True), reverse=True)
        classes = ", ".join(f"{label} ({size})" for size, label in counted[:8])
        more = f" and {len(counted) - 8} more" if len(counted) > 8 else ""
        kind = f"{len(counted)} classes: {classes}{more}"
    else:
        kind = f"numbers from {dataset.y.min():.6g} to {dataset.y.max():.6g}"
    return [f"{target}: {kind}", f"features: {shown}"]


def _decides(parts: Parts, metric: str | None, told: list[str]) -> Json:
    """Of two classes, a metric that goes by what is predicted chooses from which probability on."""
    if len(parts.labels) != 2 or metric not in metrics.BY_DECISION:
        return {}
    told.append(f"threshold: the probability from which on {parts.labels[1]!r} is predicted goes by {metric}")
    return {"threshold": True}


def _folds(parts: Parts, told: list[str]) -> int:
    """By the number of training rows; as many as their rarest class, or their groups, allow."""
    train = parts.rows.train
    wanted = next((folds for rows, folds in FOLDS.items() if len(train) <= rows), FEWEST_FOLDS)
    most = len(train)
    if parts.labels:
        most = int(np.bincount(parts.dataset.y[train], minlength=len(parts.labels)).min())
    if parts.dataset.groups is not None:
        most = min(most, len(np.unique(parts.dataset.groups[train])))
    folds = max(FEWEST_FOLDS, min(wanted, most))
    if folds < wanted:
        told.append(f"folds: {folds}, since the rarest class or group of the training rows has no more")
    elif wanted < max(FOLDS.values()):
        told.append(
            f"folds: {folds}, enough of {len(train):,} training rows; more trials are fitted with fewer"
        )
    return folds
