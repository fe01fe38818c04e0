"""The worker's process: seeds, threads, memory, import path, names of host and device."""

from __future__ import annotations

import ctypes
import math
import os
import random
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from automl import importing
from automl.contracts import Job

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # mallopt(3)
FREE_KEPT = 1 << 30  # bytes
HOST = socket.gethostname()


def use_cpus(cpus: float) -> None:
    """Use as many threads as CPUs are held, because more compete with other trials, and keep freed memory.

    glibc hands memory back to the system when tens of megabytes are free, as after each step of a training
    on large activations, and the next step faults every page in again: a third of the time of a Conv4 step.
    """
    if "torch" not in sys.modules:
        return
    sys.modules["torch"].set_num_threads(max(1, int(cpus)))
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:  # other C libraries have none
        mallopt(TRIM_THRESHOLD, FREE_KEPT)
        mallopt(MMAP_THRESHOLD, FREE_KEPT // 4)


def give_back_memory() -> None:
    """Hand freed memory that is kept (see `use_cpus`) back to the system, where the C library can."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def prepare(job: Job) -> None:
    """Seed every generator, take as many threads as the job holds CPUs, and find its code."""
    random.seed(job.seed)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(job.seed)
    if "torch" in sys.modules:
        torch = sys.modules["torch"]
        torch.manual_seed(job.seed)
        use_cpus(job.cpus)
        torch.optim.SGD(
            [torch.zeros(1)], lr=1.0
        )  # a process's first optimiser imports for a second: not charged


def add_import_path(folders: list[str]) -> None:
    """Make the study's own code importable, after every library, as where the study file is read."""
    for folder in folders:
        importing.put_last(folder)


def device_name(device: str) -> str:
    """The name of the device `cpu` or `cuda:0`, for the record."""
    if device.startswith("cuda") and "torch" in sys.modules and sys.modules["torch"].cuda.is_available():
        return str(sys.modules["torch"].cuda.get_device_name(device))
    return f"cpu ({os.cpu_count()} cores)"


def visible_gpus(gpus: float, environment: Mapping[str, str]) -> dict[str, str]:
    """The variable by which a process sees as many GPUs as trials hold, of those seen here; none for 0."""
    if not gpus:
        return {}
    count = math.ceil(gpus)
    seen = environment.get("CUDA_VISIBLE_DEVICES")
    names = [str(number) for number in range(count)] if seen is None else seen.split(",")
    return {"CUDA_VISIBLE_DEVICES": ",".join(names[:count])}


def cuda_devices() -> tuple[str, int]:
    """The version of torch, and how many CUDA devices it can use."""
    import torch  # torch takes seconds to import

    return torch.__version__, torch.cuda.device_count() if torch.cuda.is_available() else 0


def waited() -> float:
    """Seconds for which this thread waited for a processor so far; 0 where the system does not tell.

    Source: Linux, Documentation/scheduler/sched-stats.rst.
    """
    try:
        return int(Path("/proc/thread-self/schedstat").read_bytes().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0
