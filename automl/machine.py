"""What this process may use of the machine: CPUs, as its affinity and its container leave them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

QUOTA: Final = Path("/sys/fs/cgroup/cpu.max")  # microseconds of CPU in a period, or max; then the period


def usable_cpus(quota: Path = QUOTA) -> int:
    """CPUs that this process may run on, or fewer where its container has less of their time; at least 1."""
    affine = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    try:
        most, period = quota.read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return affine
    return max(1, min(affine, int(most) // int(period))) if most.isdigit() else affine
