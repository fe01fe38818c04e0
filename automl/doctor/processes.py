"""Processes of Ray on this machine: clusters, and what a killed driver has left behind."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from automl.doctor.finding import Finding, problem, warning

NAMES: Final = ("raylet", "gcs_server")
ANSWER: Final = 3.0  # seconds that the head of a cluster may take


@dataclass(frozen=True)
class Process:
    """A process of this user."""

    number: int
    parent: int
    name: str


def cluster(environ: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """The version of Ray, and whether the cluster that the environment names can be reached, with a token."""
    yield Finding("ray", f"Ray {metadata.version('ray')}")
    address = environ.get("RAY_ADDRESS", "")
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not address or address in ("auto", "local"):
        return
    try:
        with socket.create_connection((host, int(port)), timeout=ANSWER):
            yield Finding("ray", f"the cluster at {address} can be reached")
    except (OSError, ValueError) as error:
        text = f"RAY_ADDRESS names {address}, which cannot be reached: {error}"
        yield problem("ray", text, "start it with `ray start --head`, or unset RAY_ADDRESS")
    if not environ.get("RAY_AUTH_TOKEN") and not (Path.home() / ".ray/auth_token").exists():
        text = f"there is no token for {address}: whoever reaches a cluster without one runs code on it"
        yield warning("ray", text, "set the same RAY_AUTH_TOKEN on every node and here")


def left_over(found: list[Process] | None = None) -> Iterator[Finding]:
    """Servers of Ray whose driver is gone."""
    processes = _processes() if found is None else found
    orphans = [one for one in processes if one.name in NAMES and one.parent == 1]
    if not orphans:
        yield Finding("processes", "no process of Ray without its driver")
        return
    numbers = " ".join(str(one.number) for one in orphans)
    text = f"{len(orphans)} processes of Ray have no driver: {', '.join(sorted({o.name for o in orphans}))}"
    advice = f"unless `ray start` made them: kill {numbers}"
    yield warning("processes", text, advice)


def _processes() -> list[Process]:
    """Processes of this user; none where the system has no /proc."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if folder.stat().st_uid != os.getuid():
                continue
            head, _, rest = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")
        except OSError:  # it has ended
            continue
        found.append(Process(int(folder.name), int(rest.split()[1]), head.partition("(")[2]))
    return found
