"""The driver of a campaign: the identity of a process, and whether it is still alive."""

from __future__ import annotations

import getpass
import hashlib
import os
import socket
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

LEASE: Final = 30.0  # seconds without a heartbeat after which a driver elsewhere counts as dead
USER: Final = "AUTOML_USER"  # who is charged for campaigns, by default the user of this process


def user_name(environ: Mapping[str, str] = os.environ) -> str:
    """Who runs this process: `AUTOML_USER`, or its user at the system."""
    named = environ.get(USER, "").strip()
    if named:
        return named
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without a name for its user
        return f"uid-{os.getuid()}"


def owner_identity() -> str:
    """`host:pid:start` of this process, equal in all its threads, never reused by another process."""
    pid = os.getpid()
    return f"{_host()}:{pid}:{_process_start(pid)}"


def is_same_host(owner: str) -> bool:
    """Whether `owner` runs on this host, where its process is visible to this one."""
    return owner.rpartition(":")[0].rpartition(":")[0] == _host()


def is_alive(owner: str) -> bool:
    """Whether the process `owner`, of this host, still runs (and its number was not given to another)."""
    _, pid, start = owner.rsplit(":", 2)
    return _process_start(int(pid)) == start


def is_living(owner: str | None, heartbeat_at: float | None, now: float, lease: float) -> bool:
    """Whether a driver is alive, as far as this host can tell: elsewhere, by its last sign of life."""
    if owner is None:
        return False
    if is_same_host(owner):
        return is_alive(owner)
    return heartbeat_at is not None and now - heartbeat_at < lease


def this_host() -> str:
    """A name of this host that no other has, nor another container on it."""
    return _host()


@cache
def _host() -> str:
    """The name of this host and, in 8 digits, its boot and process namespace.

    So two containers or cloned machines with one name never consider each other's processes dead.
    """
    scope = f"{_read('/proc/sys/kernel/random/boot_id')} {_link('/proc/self/ns/pid')}"
    name = socket.gethostname().replace(":", "-")
    return f"{name}-{hashlib.sha256(scope.encode()).hexdigest()[:8]}"


def _process_start(pid: int) -> str | None:
    """A text that differs between two processes of one number; None when there is none (or a zombie)."""
    stat = _read(f"/proc/{pid}/stat")
    if stat:
        fields = stat.rpartition(")")[2].split()  # the name of the command before it may contain spaces
        return None if fields[0] in "ZX" else fields[19]
    if Path("/proc/self/stat").exists():
        return None
    command = ["ps", "-o", "lstart=", "-p", str(pid)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.stdout.strip().replace(":", "-") or None


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _link(path: str) -> str:
    try:
        return str(Path(path).readlink())
    except OSError:
        return ""
