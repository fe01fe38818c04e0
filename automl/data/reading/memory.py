"""Whether what a file says it holds fits in the memory of this machine: asked before any of it is read."""

from __future__ import annotations

import os
from pathlib import Path

from automl.contracts import UserError

GIB = 1 << 30
_CONTAINER = Path("/sys/fs/cgroup/memory.max")


def require_memory(needed: int, what: str, advice: str) -> None:
    """Raise `UserError` when `needed` bytes, which `what` takes, are more than this machine has."""
    there = machine_bytes()
    if needed > there:
        raise UserError(
            f"data must fit in memory, but {what} take {needed / GIB:,.1f} GiB and this machine has "
            f"{there / GIB:,.1f} GiB; {advice}"
        )


def machine_bytes() -> int:
    """The memory of this machine, or of the container where that has a limit."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = _CONTAINER.read_text(encoding="ascii").strip()
    except OSError:
        return physical
    return min(physical, int(limit)) if limit.isdigit() else physical
