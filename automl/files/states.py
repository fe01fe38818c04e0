"""Checkpoints that go to a storage, from which an attempt on another node continues."""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from automl.checkpoints import CheckpointFolder, State, write_atomically
from automl.contracts import RunError, StoredFile
from automl.files.failing import LostFileError
from automl.files.folder import Folder
from automl.moments import moment

_MANIFEST: Final = re.compile(r"step-(\d+)\.json")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_DATA: Final = re.compile(r"step-(\d+)-[0-9a-f]{16}\.pt")
_log = logging.getLogger(__name__)


class StoredCheckpoints:
    """The states of a trial, kept in `folder` on this node and brought to the storage folder `url`.

    `save` writes here and returns; a thread brings the newest one to the storage, so that a slow storage
    delays no training, and then loses some of them. An attempt that finds none here takes the newest one from
    there. Call `settle` at the end.
    """

    def __init__(self, folder: Path, url: str, *, keep: int = 2) -> None:
        self._here, self._there = CheckpointFolder(folder, keep=keep), Folder(url)
        self.failed: dict[int, str] = {}  # steps that could not be brought there: why
        self._changed = threading.Condition()
        self._wanted: int | None = None  # the newest step that is still to be brought there
        self._brings = False
        self._known: dict[int, str] | None = None  # what is there: names of data by step

    def save(self, step: int, state: Mapping[str, object]) -> None:
        """Write `state` after `step`, atomically, see `CheckpointFolder.save`."""
        self._here.save(step, state)
        with self._changed:
            self._wanted = step
            if not self._brings:
                self._brings = True
                threading.Thread(target=self._bring, name="checkpoints", daemon=True).start()

    def load(self) -> tuple[int, State] | None:
        """The newest intact (step, state), or None. Raises `StorageError` when the storage stays away."""
        self.settle()
        found = self._here.load()
        if found is not None:
            return found
        for step, manifest in newest_first(self._there):
            fetched = self._fetched(step, manifest)
            if fetched is not None:
                return fetched
        return None

    def settle(self) -> None:
        """Wait until the newest state is in the storage, or could not be brought there."""
        with self._changed:
            self._changed.wait_for(lambda: not self._brings)

    def _fetched(self, step: int, manifest: str) -> tuple[int, State] | None:
        try:
            fetch_state(self._there, manifest, self._here.folder)
        except LostFileError as error:
            _log.warning("skipped a checkpoint: %s", error)
            return None
        found = self._here.load()  # checks its owner, too
        return found if found is not None and found[0] == step else None

    def _bring(self) -> None:
        while True:
            with self._changed:
                step, self._wanted = self._wanted, None
                if step is None:
                    self._brings = False
                    self._changed.notify_all()
                    return
            try:
                self._put(step)
            except FileNotFoundError:  # a newer one has taken its place
                continue
            except (RunError, OSError) as error:
                self.failed[step] = str(error)
                _log.warning("the checkpoint of step %d is on this node only: %s", step, error)

    def _put(self, step: int) -> None:
        name = f"step-{step:08d}"
        described = (self._here.folder / f"{name}.json").read_text(encoding="utf-8")
        data = self._here.folder / f"{name}.pt"
        manifest = {**json.loads(described), "size": data.stat().st_size}
        target = f"{name}-{manifest['sha256'][:16]}.pt"
        moment("upload.begin", "checkpoint")
        self._there.put(data, target)
        self._there.write(f"{name}.json", json.dumps(manifest).encode())
        moment("upload.end", "checkpoint")
        self._remove_old(step, target)

    def _remove_old(self, step: int, target: str) -> None:
        """Keep the newest states up to `step`; later ones belong to an abandoned attempt."""
        if self._known is None:
            names = [entry.name for entry in self._there.entries()]
            self._known = {int(match[1]): name for name in names if (match := _DATA.fullmatch(name))}
        self._known[step] = target
        kept = sorted(other for other in self._known if other <= step)[-self._here.keep :]
        for other in set(self._known) - set(kept):
            self._there.remove(f"step-{other:08d}.json")
            self._there.remove(self._known.pop(other))


def newest_first(there: Folder) -> list[tuple[int, str]]:
    """The steps that a storage folder has states of, with the names of their manifests."""
    found = [
        (int(match[1]), entry.name) for entry in there.entries() if (match := _MANIFEST.fullmatch(entry.name))
    ]
    return sorted(found, reverse=True)


def fetch_state(there: Folder, manifest: str, folder: Path) -> None:
    """Write a state and its manifest into the local `folder`, as `CheckpointFolder` has them; checked.

    Raises `LostFileError` when it is damaged or not there.
    """
    described = _described(there, manifest)
    stem = manifest.removesuffix(".json")
    expected = StoredFile(described["sha256"], described.pop("size"))
    there.fetch(f"{stem}-{expected.sha256[:16]}.pt", folder / f"{stem}.pt", expected)
    write_atomically(folder / manifest, json.dumps(described).encode())


def fetch_states(url: str, folder: Path) -> None:
    """Write all intact states of a storage folder into the local `folder`."""
    there = Folder(url)
    for _, manifest in newest_first(there):
        try:
            fetch_state(there, manifest, folder)
        except LostFileError as error:
            _log.warning("skipped a checkpoint: %s", error)


def _described(there: Folder, manifest: str) -> dict[str, Any]:
    text = there.read(manifest)
    try:
        found = json.loads(text or b"")
        described: dict[str, Any] = {
            "owner": str(found["owner"]),
            "step": int(found["step"]),
            "sha256": str(found["sha256"]),
        }
        if not _SHA256.fullmatch(described["sha256"]):
            raise ValueError("its sha256 is none")
        return {**described, "size": int(found["size"])}
    except (ValueError, KeyError, TypeError) as error:
        raise LostFileError(f"{manifest} in {there.shown} is damaged ({error})") from None
