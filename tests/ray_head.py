"""A Ray cluster of one node that is not ours."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from patience import PATIENCE


@contextmanager
def head(cpus: int = 1, **auth: str) -> Iterator[str]:
    """The address of a cluster of one node with so many CPUs by name."""
    folder = tempfile.mkdtemp(prefix="ray-")  # not pytest's: paths of sockets must be short
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["start", "--head", "--block", "--node-ip-address=127.0.0.1", f"--port={port}"]
    words += [
        f"--num-cpus={cpus}",
        "--include-dashboard=false",
        "--disable-usage-stats",
        f"--temp-dir={folder}",
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "ray.scripts.scripts", *words],
        env=environment(**auth),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    end = time.monotonic() + PATIENCE
    try:
        while not is_open(port):
            assert process.poll() is None and time.monotonic() < end, "the head did not start"
            time.sleep(0.2)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(PATIENCE)
        shutil.rmtree(folder, ignore_errors=True)


def is_open(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    return {**kept, "RAY_USAGE_STATS_ENABLED": "0", **more}
