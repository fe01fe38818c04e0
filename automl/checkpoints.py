"""Checkpoints of one trial: written atomically, verified before they are loaded, never unpickled.

Each `step-<n>.pt` has a manifest `step-<n>.json`: owner, step and sha256. A file whose manifest is
missing or does not match (torn, flipped, of another step or trial) is skipped. A state without tensors is
JSON: only tensors need torch, whose import takes two seconds.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import pickle
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from automl.contracts import UserError
from automl.moments import moment

State: TypeAlias = dict[str, Any]  # tensors, numbers and strings, in dicts and lists
_NAME = re.compile(r"step-(\d+)\.(pt|json)")
_TEMPORARY = re.compile(r"\.\d+\.tmp$")
_PLAIN = (str, int, float, bool, bytes, type(None))
_DAMAGE = (OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError, pickle.PickleError)
_log = logging.getLogger(__name__)


class CheckpointFolder:
    """The newest `keep` states of a trial, in `<workdir>/<folder>`. Touches no disk until it is used.

    The last three names of the working directory's path (campaign, search, trial) are its owner:
    files moved in from another trial are refused, and a store may move as a whole.
    """

    def __init__(self, folder: Path, *, keep: int = 2) -> None:
        self.folder = folder
        self.owner = "/".join(folder.absolute().parent.parts[-3:])
        self.keep = keep

    def save(self, step: int, state: Mapping[str, object]) -> None:
        """Write `state` (tensors, numbers, strings in dicts and lists) after `step`, atomically.

        Raises `UserError` for any other type in it, since it could not be loaded safely.
        """
        check_plain(state, "state")
        self.folder.mkdir(parents=True, exist_ok=True)
        data = _written({"owner": self.owner, "step": step, "state": dict(state)})
        manifest = {"owner": self.owner, "step": step, "sha256": hashlib.sha256(data).hexdigest()}
        write_atomically(self._path(step, "pt"), data)
        write_atomically(self._path(step, "json"), json.dumps(manifest).encode())
        self._remove_old(step)

    def load(self) -> tuple[int, State] | None:
        """The newest intact (step, state), or None. Damaged files are skipped, never loaded."""
        for step in sorted(self._steps(), reverse=True):
            try:
                return step, self._read(step)
            except _DAMAGE as error:
                _log.warning("skipped a damaged checkpoint %s: %s", self._path(step, "pt"), error)
        return None

    def _read(self, step: int) -> State:
        manifest = json.loads(self._path(step, "json").read_text(encoding="utf-8"))
        data = self._path(step, "pt").read_bytes()
        expected = {"owner": self.owner, "step": step, "sha256": hashlib.sha256(data).hexdigest()}
        if manifest != expected:
            raise ValueError("it does not match its manifest")
        saved = _parsed(data)
        if (saved["owner"], saved["step"]) != (self.owner, step):
            raise ValueError("it belongs to another trial or step")
        state: State = saved["state"]
        return state

    def _path(self, step: int, suffix: str) -> Path:
        return self.folder / f"step-{step:08d}.{suffix}"

    def _steps(self) -> set[int]:
        if not self.folder.is_dir():
            return set()
        return {int(match[1]) for path in self.folder.iterdir() if (match := _NAME.fullmatch(path.name))}

    def _remove_old(self, step: int) -> None:
        """Keep the newest states up to `step`; later ones belong to an abandoned attempt."""
        kept = set(sorted(other for other in self._steps() if other <= step)[-self.keep :])
        for path in list(self.folder.iterdir()):
            match = _NAME.fullmatch(path.name)
            if path.name.endswith(".tmp") or (match and int(match[1]) not in kept):
                path.unlink(missing_ok=True)


def check_plain(value: object, where: str) -> None:
    """Raise `UserError` unless `value` holds only tensors, numbers, strings, None, dicts, lists, tuples."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            check_plain(key, f"a key of {where}")
            check_plain(item, f"{where}[{key!r}]")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            check_plain(item, f"{where}[{index}]")
    elif type(value) not in _PLAIN and not _is_tensor(value):
        raise UserError(
            f"a checkpoint must hold tensors, numbers and strings in dicts and lists, but {where} is "
            f"a {type(value).__name__}; convert it (arrays: torch.from_numpy; objects: state_dict())"
        )


def _is_tensor(value: object) -> bool:
    return "torch" in sys.modules and isinstance(value, sys.modules["torch"].Tensor)


def _is_json(value: object) -> bool:
    """Whether JSON gives it back as it is; not tuples, bytes, or keys that are no strings."""
    if type(value) is dict:
        return all(type(key) is str and _is_json(item) for key, item in value.items())
    if type(value) is list:
        return all(map(_is_json, value))
    return type(value) in (str, int, float, bool, type(None))


def _written(saved: State) -> bytes:
    if _is_json(saved):
        return json.dumps(saved).encode()
    import torch  # torch takes seconds to import

    buffer = io.BytesIO()
    torch.save(saved, buffer)
    return buffer.getvalue()


def _parsed(data: bytes) -> State:
    if data.startswith(b"{"):
        plain: State = json.loads(data)
        return plain
    import torch  # torch takes seconds to import

    saved: State = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    return saved


def write_atomically(path: Path, data: bytes) -> None:
    """Write `path` whole or not at all, durably: temporary file, fsync, rename."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    moment("file.begin", path.suffix)
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    moment("file.rename", path.suffix)
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    moment("file.end", path.suffix)


def remove_unfinished(folder: Path) -> None:
    """Remove what killed processes left of `write_atomically` in a folder that nobody else writes to."""
    for path in folder.rglob("*.tmp"):
        if _TEMPORARY.search(path.name):
            path.unlink(missing_ok=True)
