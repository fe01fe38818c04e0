"""What is written into a store is for its user alone: files of mode 600, folders of mode 700.

It may hold data, code, addresses and what trials printed, and libraries write into it too, MLflow and SQLite
among them. So it is the process's umask that is set, while something is written, whatever the user's is.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Final

ALONE: Final = 0o077  # bits that are taken from every file and folder


_lock = threading.Lock()
_inside = 0  # blocks that are entered, in all threads: they share the umask
_before = 0


@contextmanager
def private() -> Iterator[None]:
    """Make files and folders for this user alone inside the block, or in the function that it decorates.

    The last one to leave, of blocks that overlap in several threads, gives the user's umask back.
    """
    global _inside, _before
    with _lock:
        found = os.umask(ALONE)
        _before = _before if _inside else found
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            os.umask(ALONE if _inside else _before)


def private_in(folder: Path, path: Path) -> AbstractContextManager[None]:
    """The same for a file that a user asked for, where `path` lies in a store's `folder`."""
    return private() if path.resolve().is_relative_to(folder.resolve()) else nullcontext()
