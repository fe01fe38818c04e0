"""How the trials of `automl fit` divide this machine: some side by side, each with some threads.

Measured on two cores at 60 s: two trials of one thread each complete more than one of two threads, on small
tables and large ones (docs/speed.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from automl.contracts import Json, UserError
from automl.data.reading.memory import machine_bytes
from automl.machine import usable_cpus

AT_ONCE: Final = 8  # trials at most: a strategy that learns from trials gains little from more side by side
PROCESS: Final = 400 << 20  # bytes of a worker with its libraries
COPIES: Final = 6  # of the table that a worker holds at most: as read, its parts, prepared for a model
OF_MEMORY: Final = 0.7  # that trials may take together


@dataclass(frozen=True)
class MachineUse:
    """`at_once`: trials that run side by side, each with `cpus` threads. `told`: why not more, or ""."""

    at_once: int
    cpus: int
    told: str = ""

    @property
    def devices(self) -> int:
        """What a wall second of all of them costs in device-seconds."""
        return self.at_once * self.cpus

    @property
    def executor(self) -> Json:
        """The key `executor` of a study."""
        local = {"cpus": self.cpus, "trials_at_once": self.at_once, "isolate": True, "spare": True}
        return {"local": local}


def machine_use(table: Any, cpus: int | None = None) -> MachineUse:
    """How trials on the features `table`, a DataFrame, use `cpus` of this machine; None: all that it has.

    Raises `UserError` for more CPUs than there are.
    """
    there = usable_cpus()
    if cpus is not None and cpus > there:
        raise UserError(f"--cpus must be at most the {there} that can be used here, but got {cpus}; lower it")
    cores = cpus or there
    fits = trials_in(machine_bytes(), int(table.memory_usage(deep=True).sum()))
    at_once = min(cores, AT_ONCE, fits)
    told = f"the memory has room for {fits} at once" if at_once == fits < min(cores, AT_ONCE) else ""
    return MachineUse(at_once, cores // at_once, told)


def trials_in(memory: int, table: int) -> int:
    """How many trials on a table of so many bytes fit into memory, beside one that waits; at least 1."""
    each = PROCESS + COPIES * table
    return max(1, int(OF_MEMORY * memory) // each - 1)
