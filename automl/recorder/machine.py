"""How busy the driver's machine is, under the names that MLflow's own monitor gives: its tab System metrics.

Read from `/proc`, which Linux has; nothing is recorded elsewhere. These are the only numbers in MLflow that
the ledger does not have: a repair does not write them again, and an audit does not look at them.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from automl.recorder.points import Point, millis

PERIOD: Final = 30.0  # seconds between two samples: 1,920 rows in a night of eight hours
CPU: Final = "system/cpu_utilization_percentage"
MEMORY: Final = "system/system_memory_usage_percentage"


class Machine:
    """Samples of one machine. `began`: POSIX seconds from which steps, in seconds, are counted."""

    def __init__(self, began: float, proc: Path = Path("/proc")) -> None:
        self._began, self._proc = began, proc
        self._due = 0.0  # monotonic seconds
        self._before: tuple[int, int] | None = None

    def samples(self, uid: str) -> dict[str, list[Point]]:
        """The points that the run of that uid gets now."""
        points = self.points()
        return {uid: points} if points else {}

    def points(self) -> list[Point]:
        """A sample if one is due; none at first, since load is counted between two looks. Never fails."""
        if time.monotonic() < self._due:
            return []
        self._due = time.monotonic() + PERIOD
        try:
            busy, memory = self._busy(), self._memory()
        except (OSError, ValueError, LookupError, ZeroDivisionError):  # another system, or another /proc
            return []
        before, self._before = self._before, busy
        if before is None or busy[1] == before[1]:
            return []
        load = 100 * (busy[0] - before[0]) / (busy[1] - before[1])
        now = time.time()
        at, step = millis(now), max(0, round(now - self._began))
        return [Point(CPU, round(load, 1), at, step), Point(MEMORY, round(memory, 1), at, step)]

    def _busy(self) -> tuple[int, int]:
        """Ticks of all processors that were used, and all ticks, since the machine started."""
        ticks = [int(part) for part in (self._proc / "stat").read_text().splitlines()[0].split()[1:9]]
        idle = ticks[3] + ticks[4]  # idle, and waiting for a disk
        return sum(ticks) - idle, sum(ticks)

    def _memory(self) -> float:
        """Percent of the memory that is in use."""
        lines = (line.split() for line in (self._proc / "meminfo").read_text().splitlines())
        sizes = {parts[0]: int(parts[1]) for parts in lines}
        return 100 * (1 - sizes["MemAvailable:"] / sizes["MemTotal:"])
