"""The machine: processors, GPUs, memory, and room on its disks."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from automl.doctor.finding import Finding, problem, warning
from automl.executors.process import cuda_devices
from automl.provenance import device_names

GIB: Final = 2**30
FEW, VERY_FEW = 5 * GIB, GIB  # bytes that are free on a disk
FEW_FILES: Final = 10_000  # files that a disk has room for
SHARED_MEMORY: Final = GIB  # below, Ray moves objects to the disk
UI_PORT: Final = 5000


def devices() -> Iterator[Finding]:
    """Processors and GPUs, and whether torch sees those that the system has."""
    processor, *gpus = device_names()
    yield Finding("devices", f"{os.cpu_count()} cores ({processor}), GPUs: {', '.join(gpus) or 'none'}")
    version, seen = cuda_devices()
    if len(gpus) > seen:
        text = f"the system has {len(gpus)} GPUs, but torch {version} sees {seen}"
        yield warning("devices", text, "install a torch with CUDA for this driver, see pytorch.org")


def disks(places: dict[str, Path]) -> Iterator[Finding]:
    """The room where a campaign writes. `places`: what each is for, and a path that may not exist yet."""
    for use, place in places.items():
        path = existing(place)
        free = shutil.disk_usage(path).free
        text = f"{free / GIB:.1f} GiB free for {use} ({path})"
        state = os.statvfs(path)
        advice = f"make room there, or move the {use} elsewhere"
        if free < VERY_FEW:
            yield problem("disk", text, advice)
        elif state.f_files and state.f_favail < FEW_FILES:
            yield problem("disk", f"{state.f_favail} more files fit for {use} ({path})", advice)
        elif free < FEW:
            yield warning("disk", text, advice)
        else:
            yield Finding("disk", text)


def usual_places() -> dict[str, Path]:
    """Where programs of this user write besides the store."""
    return {"temporary files": Path(tempfile.gettempdir())}


def shared_memory(path: Path = Path("/dev/shm")) -> Iterator[Finding]:
    """What Ray's object store lives in; containers often have 64 MiB."""
    if path.is_dir() and (size := shutil.disk_usage(path).total) < SHARED_MEMORY:
        text = f"{path} holds {size / 2**20:.0f} MiB, so Ray moves what trials exchange to the disk"
        yield warning("ray", text, "start the container with --shm-size=2g or more")


def port(number: int = UI_PORT) -> Iterator[Finding]:
    """Whether `automl ui` can listen where it does by default."""
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", number))
        except OSError:
            text = f"port {number} of this machine is in use"
            yield warning("ports", text, f"automl ui --port {number + 1}, if it is not yours already")
            return
    yield Finding("ports", f"port {number} is free for automl ui")


def existing(path: Path) -> Path:
    """`path`, or the nearest folder above it that exists."""
    while not path.exists():
        path = path.parent
    return path
