"""Whether Ray itself lives: without its raylet Tune waits for ever, without its head for a silent minute."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import ray

ESSENTIAL: Final = ("gcs_server", "raylet")
LOOK: Final = 0.05  # seconds between two looks at our own processes
KNOCK: Final = 5.0  # seconds between two calls at the head's door, and how long one may take


def session() -> str:
    """The name of the session of a cluster of our own."""
    node: Any = ray._private.worker._global_node  # there is no public way to it
    return str(node.session_name)


def ended_process() -> str | None:
    """The name of a process of our own cluster that has ended; None for one that others started."""
    node: Any = ray._private.worker._global_node  # there is no public way to the processes that Ray started
    if node is None:
        return None
    for name in ESSENTIAL:
        if any(started.process.poll() is not None for started in node.all_processes.get(name, ())):
            return name
    return None


class Watch:
    """Notes at which moment our own cluster died, also while the run waits for an answer of it.

    `died`: the name of the process that ended; `died_at`: in monotonic seconds.
    """

    def __init__(self) -> None:
        self.died: str | None = None
        self.died_at = 0.0
        self._left = threading.Event()
        threading.Thread(target=self._watch, name="ray processes", daemon=True).start()

    def leave(self) -> None:
        """Look no more."""
        self._left.set()

    def look(self) -> str | None:
        """What has died by now."""
        if self.died is None:
            self.died_at = time.monotonic()
            self.died = ended_process()
        return self.died

    def _watch(self) -> None:
        while not self._left.wait(LOOK) and self.look() is None:
            pass


def abandon() -> None:
    """Leave a cluster that died, without waiting for it; what is left of one of our own is killed."""
    kill_own()
    ray.shutdown()


def kill_own() -> None:
    """Kill the processes of our own cluster, if there is one."""
    node: Any = ray._private.worker._global_node
    if node is not None:
        node.kill_all_processes(check_alive=False, allow_graceful=False, wait=False)


class Head:
    """The head of the cluster, at whose door a thread knocks; the run may itself be waiting for it.

    `tell` shows the user a line: that it went silent, and that it is back.
    """

    def __init__(self, tell: Callable[[str], object]) -> None:
        self.address = str(ray.get_runtime_context().gcs_address)
        self._tell = tell
        self._answered = time.monotonic()
        self._left = threading.Event()
        threading.Thread(target=self._watch, name="ray head", daemon=True).start()

    @property
    def silent_for(self) -> float:
        """Seconds since it answered."""
        return time.monotonic() - self._answered

    def leave(self) -> None:
        """Knock no more."""
        self._left.set()

    def _watch(self) -> None:
        told = False
        while not self._left.wait(KNOCK):
            if self._knock():
                self._answered = time.monotonic()
            silent = self.silent_for > 2 * KNOCK
            if silent and not told:
                self._tell(
                    f"Ray's head at {self.address} does not answer; if it stays away for a minute, this run "
                    "ends; finished trials are safe; start the cluster and run again to continue"
                )
            elif told and not silent:
                self._tell(f"Ray's head at {self.address} answers again")
            told = silent

    def _knock(self) -> bool:
        host, _, port = self.address.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=KNOCK).close()
        except OSError:
            return False
        return True
