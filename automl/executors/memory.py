"""The memory that one trial may take beyond what its worker holds when it starts."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from automl.executors import process

STATUS = Path("/proc/self/status")


@contextmanager
def at_most(size: int | None) -> Iterator[None]:
    """Let an allocation of the block fail with `MemoryError` when it would take more than `size` bytes.

    Counted are private writable pages, as the kernel does (RLIMIT_DATA): not files, libraries or memory
    that is shared, nor that of a GPU. A child process has the limit for itself. Only Linux has it.
    """
    if size is None or sys.platform != "linux":
        yield
        return
    process.give_back_memory()  # what an earlier trial freed would come on top of the limit
    before = resource.getrlimit(resource.RLIMIT_DATA)
    allowed = _held() + size
    if before[1] != resource.RLIM_INFINITY:
        allowed = min(allowed, before[1])
    resource.setrlimit(resource.RLIMIT_DATA, (allowed, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def _held() -> int:
    """Bytes of private writable pages of this process."""
    lines = STATUS.read_text(encoding="ascii", errors="replace").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData:"))
