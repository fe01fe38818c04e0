"""The folder in which one attempt of a trial works on this node, when its files go to a storage."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path, PurePath
from typing import Final

from automl.files.node import node_folder

LOCK: Final = "lock"


@contextmanager
def working_folder(workdir: str) -> Iterator[Path]:
    """An empty folder of this node for an attempt, gone after the block.

    It ends with the last three names of `workdir` (campaign, search, trial), which own its checkpoints. What
    killed processes have left is removed.
    """
    base = node_folder() / "work"
    base.mkdir(parents=True, exist_ok=True)
    own = base / f"{os.getpid()}-{secrets.token_hex(6)}"
    with ExitStack() as stack:
        with (base / LOCK).open("w") as all_of_them:
            fcntl.flock(all_of_them, fcntl.LOCK_EX)
            _remove_abandoned(base)
            own.mkdir()
            fcntl.flock(stack.enter_context((own / LOCK).open("w")), fcntl.LOCK_EX)
        folder = own.joinpath(*PurePath(workdir).parts[-3:])
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(own, ignore_errors=True)


def _remove_abandoned(base: Path) -> None:
    """Remove folders whose process has gone: the kernel has given their locks back."""
    for folder in base.iterdir():
        with suppress(OSError), (folder / LOCK).open("r+") as lock:  # another one removes its own
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
