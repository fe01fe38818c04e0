"""What `automl check` found out about data, kept until the study, its code or the data change.

Reading large data takes a while; a digest of their files does not. Only data that passed are kept, in the
user's cache folder (`XDG_CACHE_HOME`, else `~/.cache`), and losing it costs nothing but time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import automl
from automl import plugins
from automl.campaign.planning import check_data
from automl.campaign.transferring import notes_of, read_transfers
from automl.checkpoints import write_atomically
from automl.config import ResolvedArm, ResolvedStudy
from automl.data import sources
from automl.data.parts import load_parts
from automl.data.summary import Summary, summarise
from automl.data.tasks import task_of
from automl.identity import identify
from automl.provenance import package_versions
from automl.spaces import is_table

MOST: Final = 200  # files in the folder; the oldest go first
LARGE: Final = 1 << 20  # bytes: smaller data are read again, which is as fast


def data_of(resolved: ResolvedStudy, call: bool) -> Summary | None:
    """What the study's data are. Raises `UserError` when an evaluator could not work with them.

    Unless `call`, no function of the user's is called: None where one makes the data, and arms whose networks
    or evaluators are code of the user's are not tried on the data.
    """
    dataset = resolved.study.task.dataset
    if dataset is not None and not call and sources.is_own_code(dataset):
        return None
    tried = resolved if call else replace(resolved, arms=_without_own_code(resolved))
    return summary_of(resolved, partial(_look, tried), called=call)


def transfer_notes(resolved: ResolvedStudy, call: bool) -> list[str]:
    """What was guessed or dropped in the datasets of `transfer`. Calls and raises as `data_of` does."""
    tried = resolved if call else replace(resolved, arms=_without_own_code(resolved))
    read = [one for one in tried.study.transfer if call or not sources.is_own_code(one.dataset)]
    return list(notes_of(read_transfers(tried, read)))


def not_called(resolved: ResolvedStudy) -> list[str]:
    """What of the user's code `data_of` does not call, a sentence each."""
    dataset, told = resolved.study.task.dataset, []
    if dataset is not None and sources.is_own_code(dataset):
        told.append(f"the data are made by {dataset}, which is not called here")
    made = [one for one in resolved.study.transfer if sources.is_own_code(one.dataset)]
    told += [
        f"the data of transfer {one.name} are made by {one.dataset}, which is not called here" for one in made
    ]
    own = sorted(resolved.arms.keys() - _without_own_code(resolved).keys())
    if own:
        told.append(f"the code of {', '.join(own)} is yours and is not tried on the data here")
    return told


def _without_own_code(resolved: ResolvedStudy) -> dict[str, ResolvedArm]:
    """The arms whose space, evaluators and protocol are files of this package, or no code at all."""
    return {name: arm for name, arm in resolved.arms.items() if not _has_own_code(resolved, arm)}


def _has_own_code(resolved: ResolvedStudy, arm: ResolvedArm) -> bool:
    evaluators = [resolved.study.evaluator, arm.evaluator_spec, *arm.named_evaluators]
    space = str(arm.space_spec.get("name", ""))
    own_space = bool(space) and not is_table(space) and plugins.is_own("spaces", space)
    return own_space or any(plugins.is_own("evaluators", spec.name) for spec in evaluators)


def _look(resolved: ResolvedStudy) -> Summary:
    study = resolved.study
    parts = load_parts(study.task.model_dump(mode="json"), [study.source])
    check_data(resolved, task_of(parts))
    return summarise(parts)


def summary_of(resolved: ResolvedStudy, look: Callable[[], Summary], *, called: bool = False) -> Summary:
    """The summary of the study's data: as it was kept, else what `look` finds in them, which may raise."""
    file = _file(resolved, called)
    if file is None:
        return look()
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):  # absent, damaged, of another version
        return Summary.from_json(json.loads(file.read_text(encoding="utf-8")))
    found = look()
    with contextlib.suppress(OSError):  # a home folder that cannot be written
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, json.dumps(found.to_json()).encode())
        for old in sorted(file.parent.glob("*.json"), key=lambda path: path.stat().st_mtime)[:-MOST]:
            old.unlink(missing_ok=True)
    return found


def _file(resolved: ResolvedStudy, called: bool) -> Path | None:
    """Where the summary is kept; None for data that are small, or not in files."""
    task, folder = resolved.study.task, resolved.study.source
    files = [file for name in (task.dataset, task.test) for file in sources.files(name, [folder])]
    if not files or sum(file.stat().st_size for file in files) < LARGE:
        return None
    ours = [[str(path), *sources.state(path)] for path in sorted(Path(automl.__file__).parent.rglob("*.py"))]
    origin = [resolved.study.to_json(), identify(resolved, None).to_json(), package_versions(), ours, called]
    marks = hashlib.sha256(json.dumps(origin, sort_keys=True, default=str).encode())
    for path in files:
        marks.update(str(path).encode("utf-8", "surrogateescape"))
        with path.open("rb") as opened:
            marks.update(hashlib.file_digest(opened, "sha256").digest())
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "automl" / "checks" / f"{marks.hexdigest()}.json"
