"""The memory of a GPU that several trials share: each has its part, and one that needs more has it alone.

A trial that holds a fraction of a GPU may allocate that fraction of its memory, less what CUDA takes for a
process. One that ran out of it is tried again alone: it waits until the other trials on its GPU have ended,
those of other campaigns on this machine too, and new ones wait for it. No trial pays while it waits.
"""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from automl.contracts import Job

CONTEXT: Final = (
    512 * 2**20
)  # bytes that CUDA and its libraries take for each process, outside of torch's count
FOLDER: Final = Path(tempfile.gettempdir())
AGAIN: Final = 0.1  # seconds between two tries to get a lock


@dataclass(frozen=True)
class Device:
    """The GPU of this process that trials run on, as torch knows it."""

    cuda: Any  # torch.cuda
    index: int = 0

    @property
    def total(self) -> int:
        """Bytes of memory."""
        return int(self.cuda.get_device_properties(self.index).total_memory)

    @property
    def name(self) -> str:
        """A name of it that is the same in every process of this machine."""
        return str(self.cuda.get_device_properties(self.index).uuid)

    def allow(self, fraction: float) -> None:
        """Let this process allocate so much of the memory; what was freed goes back to the device."""
        self.cuda.empty_cache()
        self.cuda.set_per_process_memory_fraction(fraction, self.index)


def share_of(gpus: float, total: int) -> float:
    """The fraction of `total` bytes that a trial may allocate which holds so many GPUs."""
    if not 0 < gpus < 1:
        return 1.0
    return max(gpus - CONTEXT / total, gpus / 2)


def shares_gpu(job: Job) -> bool:
    """Whether the job holds a fraction of a GPU."""
    return 0 < job.gpus < 1


@contextmanager
def held(job: Job) -> Iterator[None]:
    """Give a job its part of the GPU's memory in the block, or all of it alone. Waits for that."""
    device = find_device() if shares_gpu(job) else None
    if device is None:
        yield
        return
    with _lock(device.name, alone=job.alone):
        device.allow(1.0 if job.alone else share_of(job.gpus, device.total))
        try:
            yield
        finally:
            device.allow(1.0)


def explained(job: Job) -> str:
    """What a trial that ran out of memory had, for its reason; "" for one that holds whole devices."""
    if not shares_gpu(job):
        return ""
    if job.alone:
        return f"; it was alone on its GPU, after it ran out of its part ({job.gpus:g}) of the memory"
    return f"; it had {job.gpus:g} of its GPU's memory, as it holds gpus: {job.gpus:g}"


def find_device() -> Device | None:
    """The GPU of this process; None without one that torch can use."""
    try:
        import torch  # a trial that holds a GPU will need it
    except ImportError:
        return None
    return Device(torch.cuda) if torch.cuda.is_available() else None


@contextmanager
def _lock(name: str, *, alone: bool) -> Iterator[None]:
    """Hold a GPU with others, or alone. Who waits to be alone goes first: nobody new passes the gate."""
    with ExitStack() as stack:
        with _locked(f"{name}-gate", fcntl.LOCK_EX):
            stack.enter_context(_locked(name, fcntl.LOCK_EX if alone else fcntl.LOCK_SH))
        yield


@contextmanager
def _locked(name: str, how: int) -> Iterator[None]:
    """Hold a lock of this machine, of all its users; the system lets go of it when the process dies."""
    path = FOLDER / f"automl-gpu-{re.sub('[^A-Za-z0-9]', '-', name)}"
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        with suppress(PermissionError):  # it is another user's, who has done so
            os.fchmod(file, 0o666)
        while True:
            try:
                fcntl.flock(file, how | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(AGAIN)  # rather than in the system, so that the trial can be ended
        yield
    finally:
        os.close(file)
