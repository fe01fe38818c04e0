"""The key `transfer` of a study file: its shorthands, and what must hold for it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath

from automl.config.checks import check_dataset, evaluator_class
from automl.config.document import KeyPath, Mistake, shown
from automl.config.shorthand_draft import Draft, without_nulls
from automl.config.study import Arm, Final
from automl.config.transfer import Transfer
from automl.contracts import PluginSpec, TaskSpec

MOST = 20  # datasets
RULE = "must be a list of datasets, each a name, a file or {dataset: …}"
LONGEST = 63  # characters of a name


def expand_transfers(draft: Draft) -> None:
    """Write out `transfer: [wine, files/beans.csv]`: mappings with the name that reports use."""
    written = draft.data.get("transfer")
    if written is None:
        return
    if isinstance(written, str | dict):
        written = [written]
        draft.origins["transfer", 0] = ("transfer",)
    if not isinstance(written, list):
        draft.refuse(("transfer",), f"{RULE}, but got {shown(written)}; write transfer: [wine], for instance")
        return
    if len(written) > MOST:
        draft.refuse(
            ("transfer",), f"must have at most {MOST} datasets, but has {len(written)}; leave some out"
        )
        return
    draft.data["transfer"] = [
        _expanded(draft, item, ("transfer", place)) for place, item in enumerate(written)
    ]


def _expanded(draft: Draft, item: object, path: KeyPath) -> object:
    if isinstance(item, str):
        draft.origins[(*path, "dataset")] = draft.written(path)
        item = {"dataset": item}
    if not isinstance(item, dict):
        draft.refuse(
            path, f"must be a dataset's name, a file or {{dataset: …}}, but got {shown(item)}; write one"
        )
        return item
    item = without_nulls(item)
    for key in ("read", "columns", "split"):
        if isinstance(item.get(key), dict):
            item[key] = without_nulls(item[key])
    if isinstance(item.get("dataset"), str) and "name" not in item:
        draft.origins[(*path, "name")] = draft.written((*path, "dataset"))
        item = {"name": default_name(item["dataset"]), **item}
    return item


def default_name(dataset: str) -> str:
    """What reports call a dataset: a plug-in's name, a file's without its ending, or that of a function."""
    name = dataset.rpartition(":")[2] if ":" in dataset and "/" not in dataset else PurePath(dataset).stem
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:LONGEST] or "other"


def check_transfers(
    draft: Draft, places: Sequence[int], folder: Path, task: TaskSpec | None, final: Final | None
) -> Iterator[Mistake]:
    """Each dataset exists, once, besides the study's own; winners are retrained. Files become absolute.

    `places`: of those in the list that have no mistake so far.
    """
    written = draft.data["transfer"]
    found = {place: Transfer.model_validate_json(json.dumps(written[place])) for place in places}
    if written and final is not None and not final.seeds:
        text = "needs retrainings, whose number it takes, but got final.seeds=0; write final: {seeds: 3}"
        yield Mistake(("transfer",), text)
    names: set[str] = set()
    seen: list[TaskSpec] = [] if task is None else [task]
    for place, transfer in found.items():
        path: KeyPath = ("transfer", place)
        if transfer.name in names:
            text = (
                f"names must differ, but got {shown(transfer.name)} more than once; write {{name: …}} for one"
            )
            yield Mistake((*path, "name"), text)
        names.add(transfer.name)
        name, mistakes = check_dataset(transfer.dataset, folder, (*path, "dataset"))
        yield from mistakes
        written[place]["dataset"] = name
        if task is None or mistakes:
            continue
        data = transfer.model_copy(update={"dataset": name}).task(task)
        if any(_data_of(data) == _data_of(other) for other in seen):
            text = f"must be other data than the study's and those before, but got {shown(transfer.dataset)}"
            yield Mistake((*path, "dataset"), f"{text} again; leave it out")
        seen.append(data)


def _data_of(task: TaskSpec) -> list[object]:
    return [task.dataset, task.target, task.read, task.columns]


def check_trained(
    draft: Draft, evaluator: PluginSpec | None, arms: Mapping[str, Arm | None]
) -> Iterator[Mistake]:
    """With `transfer`, what each arm finds can be trained on data: by its evaluator, or by the study's."""
    if not draft.data.get("transfer"):
        return
    specs = {"evaluator": evaluator}
    specs |= {f"arms.{name}.evaluator": arm.evaluator for name, arm in arms.items() if arm is not None}
    for key, spec in specs.items():
        plugin = spec and evaluator_class(spec)
        if spec and plugin and not plugin.needs_data:  # one that searches by itself needs data, too
            text = (
                f"needs evaluators that train on data, but {key} {spec.name} needs none; leave transfer out"
            )
            yield Mistake(("transfer",), text)
