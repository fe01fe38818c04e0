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
from functools import partial
from pathlib import Path
from typing import Final

import automl
from automl.campaign.planning import check_data
from automl.checkpoints import write_atomically
from automl.config import ResolvedStudy
from automl.data import sources
from automl.data.parts import load_parts
from automl.data.summary import Summary, summarise
from automl.data.tasks import task_of
from automl.identity import identify
from automl.provenance import package_versions

MOST: Final = 200  # files in the folder; the oldest go first
LARGE: Final = 1 << 20  # bytes: smaller data are read again, which is as fast


def data_of(resolved: ResolvedStudy) -> Summary:
    """What the study's data are. Raises `UserError` when an evaluator could not work with them."""
    return summary_of(resolved, partial(_look, resolved))


def _look(resolved: ResolvedStudy) -> Summary:
    study = resolved.study
    parts = load_parts(study.task.model_dump(mode="json"), [study.source])
    check_data(resolved, task_of(parts))
    return summarise(parts)


def summary_of(resolved: ResolvedStudy, look: Callable[[], Summary]) -> Summary:
    """The summary of the study's data: as it was kept, else what `look` finds in them, which may raise."""
    file = _file(resolved)
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


def _file(resolved: ResolvedStudy) -> Path | None:
    """Where the summary is kept; None for data that are small, or not in files."""
    files = sources.files(resolved.study.task.dataset, [resolved.study.source])
    if not files or sum(file.stat().st_size for file in files) < LARGE:
        return None
    ours = [[str(path), *sources.state(path)] for path in sorted(Path(automl.__file__).parent.rglob("*.py"))]
    origin = [resolved.study.to_json(), identify(resolved, None).to_json(), package_versions(), ours]
    marks = hashlib.sha256(json.dumps(origin, sort_keys=True, default=str).encode())
    for path in files:
        marks.update(str(path).encode("utf-8", "surrogateescape"))
        with path.open("rb") as opened:
            marks.update(hashlib.file_digest(opened, "sha256").digest())
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "automl" / "checks" / f"{marks.hexdigest()}.json"
