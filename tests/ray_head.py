"""A Ray cluster that is not ours: its head, and further nodes on this machine."""

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
def head(*before: str, cpus: int = 1, **auth: str) -> Iterator[str]:
    """The address of a cluster of one node. `before`: words in front of its command, as of `unshare`."""
    folder = tempfile.mkdtemp(prefix="ray-")  # not pytest's: paths of sockets must be short
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [
        "start",
        "--head",
        "--block",
        "--node-ip-address=127.0.0.1",
        f"--port={port}",
        f"--num-cpus={cpus}",
    ]
    words += ["--include-dashboard=false", "--disable-usage-stats", f"--temp-dir={folder}"]
    process = subprocess.Popen(
        [*before, sys.executable, "-m", "ray.scripts.scripts", *words],
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


@contextmanager
def node(address: str, *more: str, cpus: int = 1) -> Iterator[subprocess.Popen[str]]:
    """A further node without authentication; `more` are options of `ray start`."""
    words = ["start", f"--address={address}", "--block", f"--num-cpus={cpus}", "--disable-usage-stats", *more]
    for _ in range(3):  # of two nodes that start at once on one machine, one may fail
        process = subprocess.Popen(
            [sys.executable, "-m", "ray.scripts.scripts", *words],
            env=environment(RAY_AUTH_MODE="disabled"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        if any("Ray runtime started" in line for line in process.stdout):
            break
    try:
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE)
        process.stdout.close()


def is_open(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    return {**kept, "RAY_USAGE_STATS_ENABLED": "0", **more}
