"""What a trial has left in its storage: objects named by their sha-256, and the list in the ledger."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, Protocol

from automl.contracts import RunError, StoredFile, digest
from automl.files.cache import node_cache
from automl.files.failing import LostFileError
from automl.files.folder import CHUNK, Folder
from automl.files.node import node_folder
from automl.files.urls import below, shown
from automl.moments import around

OBJECTS: Final = "objects"
CHECKPOINTS: Final = "checkpoints"  # folders of a working folder
MODEL: Final = "model"
_HEX: Final = frozenset("0123456789abcdef")


@dataclass(frozen=True)
class Kept:
    """The files of a trial, by their paths in its working folder, in the storage folder `url`."""

    url: str
    files: Mapping[str, StoredFile]

    @classmethod
    def of(cls, url: str | None, files: Mapping[str, StoredFile] | None) -> Kept | None:
        """Those that a row of the ledger lists; None for a trial without a storage.

        Raises `RunError` for a list that would lead elsewhere.
        """
        if url is None or files is None:
            return None
        for name, one in files.items():
            parts = PurePosixPath(name).parts
            if name.startswith("/") or ".." in parts or not parts or set(one.sha256) - _HEX:
                raise RunError(f"files of a trial must lie in its folder, but the ledger lists {name!r}")
        return cls(url, files)

    def names(self, part: str) -> list[str]:
        """The files that lie in the folder `part`, by their paths."""
        return sorted(name for name in self.files if name.startswith(f"{part}/"))

    def fetch(self, name: str, to: Path) -> None:
        """Copy the file `name` to the path `to`, checked. This node's cache holds it from now on.

        Raises `LostFileError` when it is not there or damaged, `StorageError` when the storage stays away.
        """
        wanted = self.files[name]
        folder, cache = Folder(self.url), node_cache()
        to.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(2):  # a cache on a bad disk
            with cache.held(
                wanted.sha256, lambda path: folder.fetch(f"{OBJECTS}/{wanted.sha256}", path, wanted)
            ) as path:
                shutil.copyfile(path, to)
            if file_digest(to) == wanted:
                return
            cache.drop(wanted.sha256)
        raise LostFileError(f"{name} was damaged on this node's disk twice; look at {cache.folder}")

    def fetch_part(self, part: str, to: Path) -> None:
        """Copy the file `part`, or all files in the folder `part`, to the path `to`; see `fetch`."""
        if part in self.files:
            self.fetch(part, to)
            return
        to.mkdir(parents=True, exist_ok=True)
        for name in self.names(part):
            self.fetch(name, to / name.removeprefix(f"{part}/"))

    @contextmanager
    def folder(self, part: str) -> Iterator[Path]:
        """A folder of this node with the content of the folder `part`, gone after the block; see `fetch`."""
        place = node_folder() / "fetched"
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place, prefix=f"{os.getpid()}-") as name:
            self.fetch_part(part, Path(name) / part)
            yield Path(name) / part


class Leaves(Protocol):
    """A trial of the ledger, as far as its files go; see `TrialRow`."""

    @property
    def workdir(self) -> str | None:
        """Where they are on the machine of the trial."""

    @property
    def storage(self) -> str | None:
        """The storage folder in which they are; None where `workdir` has them."""

    @property
    def files(self) -> Mapping[str, StoredFile] | None:
        """What is in the storage folder."""


@contextmanager
def part_of(trial: Leaves, part: str) -> Iterator[Path]:
    """The folder `part` of what a trial has left, on this machine, inside the block.

    Raises `LostFileError` when it is not there or damaged, `StorageError` when the storage stays away.
    """
    if trial.storage is None:
        folder = Path(trial.workdir or "") / part
        if not folder.is_dir():
            raise LostFileError(f"{folder} is not there")
        yield folder
        return
    kept = Kept.of(trial.storage, trial.files or {})
    if kept is None or not kept.names(part):
        raise LostFileError(f"the trial has brought no {part} to {shown(trial.storage)}")
    with kept.folder(part) as folder:
        yield folder


def has_part(trial: Leaves, part: str) -> bool:
    """Whether a trial is known to have left a folder `part`; of a storage nothing is fetched."""
    if trial.storage is None:
        return (Path(trial.workdir or "") / part).is_dir()
    return any(name.startswith(f"{part}/") for name in trial.files or ())


def keep(url: str, root: Path, names: Iterable[str]) -> dict[str, StoredFile]:
    """Bring files below `root` to the storage folder `url`; what they are, by name.

    An object that is there already is not written again. Raises `StorageError` when the storage stays away.
    """
    folder, kept = Folder(url), dict[str, StoredFile]()
    for name in names:
        found = file_digest(root / name)
        target = f"{OBJECTS}/{found.sha256}"
        with around("upload", "object"):
            there = folder.entry(target)
            if there is None or there.size != found.size:
                folder.put(root / name, target)
        kept[name] = found
    return kept


def drop(url: str, part: str | None = None) -> None:
    """Remove a trial's storage folder, or a part of it. Nothing when it is not there."""
    Folder(url if part is None else below(url, part)).clear()


def drop_files(trial: Leaves, part: str) -> None:
    """Remove the files in the folder `part` that a trial has brought to its storage; others stay."""
    if (kept := Kept.of(trial.storage, trial.files)) is not None:
        for name in kept.names(part):
            Folder(kept.url).remove(f"{OBJECTS}/{kept.files[name].sha256}")


def campaign_url(storage: str, campaign: str, created_at: float) -> str:
    """The folder of a campaign in a storage: another ledger's campaign of that name has another one."""
    return below(storage, f"{campaign}-{digest([campaign, created_at])[:8]}")


def file_digest(path: Path) -> StoredFile:
    """What a local file is."""
    found, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            found.update(chunk)
            size += len(chunk)
    return StoredFile(found.hexdigest(), size)
