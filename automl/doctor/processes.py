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
from automl.executors.tune import token

NAMES: Final = ("raylet", "gcs_server")
COMMANDS: Final = ("-m automl.executors.child", "-m automl.executors.forking", "-m mlflow server")
DRIVERS: Final = ("python", "automl")  # of such processes: words in their commands
ANSWER: Final = 3.0  # seconds that the head of a cluster may take


@dataclass(frozen=True)
class Process:
    """A process of this user. `command`: its words with blanks between them."""

    number: int
    parent: int
    name: str
    command: str = ""

    @property
    def is_started(self) -> bool:
        """Whether it is one that a driver or `automl ui` starts, and that ends with it."""
        return self.name in NAMES or any(words in self.command for words in COMMANDS)


def cluster(environ: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """The version of Ray, and whether the cluster that the environment names can be reached, with a token."""
    try:
        yield Finding("ray", f"Ray {metadata.version('ray')}")
    except metadata.PackageNotFoundError:
        yield problem("ray", "Ray is not installed", "pip install 'ray[tune]', or use executor: local")
        return
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
        return
    if token.asks_for_none(f"{host}:{port}"):
        text = f"the Ray cluster at {address} asks for no token, so whoever reaches it runs code on it"
        yield warning("ray", text, "start it with RAY_AUTH_MODE=token and one RAY_AUTH_TOKEN for all nodes")
    elif not environ.get("RAY_AUTH_TOKEN") and not (Path.home() / ".ray/auth_token").exists():
        text = f"there is no token for {address} here, which it asks for"
        yield warning("ray", text, "set the RAY_AUTH_TOKEN of the cluster")


def left_over(found: list[Process] | None = None) -> Iterator[Finding]:
    """Workers and servers whose driver is gone, which left them to a program that is no driver."""
    processes = _processes() if found is None else found
    drivers = {one.number for one in processes if any(word in one.command for word in DRIVERS)}
    orphans = [one for one in processes if one.is_started and one.parent not in drivers - {1}]
    if not orphans:
        yield Finding("processes", "no process of Ray, MLflow or a trial without its driver")
        return
    numbers = " ".join(str(one.number) for one in orphans)
    names = ", ".join(sorted({one.name for one in orphans}))
    advice = f"unless `ray start` or mlflow/serve.sh made them: kill {numbers}"
    yield warning("processes", f"{len(orphans)} processes have no driver: {names}", advice)


def _processes() -> list[Process]:
    """Processes of this user; none where the system has no /proc."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if folder.stat().st_uid != os.getuid():
                continue
            head, _, rest = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it has ended
            continue
        found.append(Process(int(folder.name), int(rest.split()[1]), head.partition("(")[2], command))
    return found
