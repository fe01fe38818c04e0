"""Files that this node has fetched, of a bounded size: the ones that were used last stay.

Several processes share it. A file is fetched once, under the lock of its key, and stays while somebody holds
it. Nothing here is needed: a cache that is removed is fetched again.
"""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from automl.files.node import SIZE, cache_size, node_folder

_LOCK: Final = ".lock"
_PART: Final = ".part"
_log = logging.getLogger(__name__)


class Cache:
    """Entries, files or folders, below `folder`, of at most `size` bytes together where that is possible."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder, self.size = folder, size

    @contextmanager
    def held(self, key: str, make: Callable[[Path], None]) -> Iterator[Path]:
        """The entry of `key`, a plain file name, which stays there inside the block.

        `make` writes one that is not there to the path that it is given. Its errors are raised as they are.
        """
        lock = self.hold(key, make)
        try:
            yield self.folder / key
        finally:
            os.close(lock)

    def hold(self, key: str, make: Callable[[Path], None]) -> int:
        """Keep the entry of `key` until the descriptor that is returned is closed, or this process ends."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / key
        while True:
            lock = self._locked(key, fcntl.LOCK_SH)
            if path.exists():
                os.utime(path)  # used now
                return lock
            os.close(lock)
            lock = self._locked(key, fcntl.LOCK_EX)
            try:
                if not path.exists():
                    self._make(path, make)
            finally:
                os.close(lock)

    def drop(self, key: str) -> None:
        """Remove an entry that is damaged, whoever holds it: it is made again."""
        _remove(self.folder / key)

    def _make(self, path: Path, make: Callable[[Path], None]) -> None:
        for left in self.folder.glob(
            f"{path.name}.*{_PART}"
        ):  # of a process that was killed: ours is the lock
            _remove(left)
        part = path.with_name(f"{path.name}.{secrets.token_hex(4)}{_PART}")
        try:
            make(part)
            part.replace(path)
        finally:
            _remove(part)
        self._make_room(path.name)

    def _make_room(self, newest: str) -> None:
        """Remove what was used longest ago until all fits; what somebody holds stays."""
        entries = [one for one in self.folder.iterdir() if one.suffix not in (_LOCK, _PART)]
        with suppress(OSError):  # one has gone meanwhile: whoever removed it made room
            sizes = {one: _size(one) for one in sorted(entries, key=lambda one: one.stat().st_mtime_ns)}
            total = sum(sizes.values())
            for entry, size in sizes.items():
                if total <= self.size:
                    return
                if entry.name != newest and self._evict(entry):
                    total -= size
            text = "%s holds %.1f GB that are in use, more than %s allows; give it more, or another disk"
            if total > self.size:
                _log.warning(text, self.folder, total / 1e9, SIZE)

    def _evict(self, entry: Path) -> bool:
        """Whether an entry could be removed: nobody holds it."""
        lock = os.open(self._lock_of(entry.name), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(entry)
            self._lock_of(entry.name).unlink(missing_ok=True)
            return True
        except BlockingIOError:
            return False
        finally:
            os.close(lock)

    def _locked(self, key: str, kind: int) -> int:
        """The descriptor of a key's lock file, locked. One that was removed meanwhile is none."""
        while True:
            lock = os.open(self._lock_of(key), os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(lock, kind)
            try:
                if os.fstat(lock).st_ino == self._lock_of(key).stat().st_ino:
                    return lock
            except FileNotFoundError:
                pass
            os.close(lock)

    def _lock_of(self, key: str) -> Path:
        return self.folder / f"{key}{_LOCK}"


def node_cache() -> Cache:
    """That of this node."""
    return Cache(node_folder() / "files", cache_size())


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(one.lstat().st_size for one in path.rglob("*") if one.is_file())
    return path.lstat().st_size


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
