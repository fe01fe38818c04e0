"""Whether Ray itself lives: without its raylet Tune waits for ever, without its head for a silent minute."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any, Final

import ray

ESSENTIAL: Final = ("gcs_server", "raylet")
KNOCK: Final = 5.0  # seconds between two calls at the head's door, and how long one may take


def ended_process() -> str | None:
    """The name of a process of our own cluster that has ended; None for one that others started."""
    node: Any = ray._private.worker._global_node  # there is no public way to the processes that Ray started
    if node is None:
        return None
    for name in ESSENTIAL:
        if any(started.process.poll() is not None for started in node.all_processes.get(name, ())):
            return name
    return None


def abandon() -> None:
    """Leave a cluster that died, without waiting for it; what is left of one of our own is killed."""
    node: Any = ray._private.worker._global_node
    if node is not None:
        node.kill_all_processes(check_alive=False, allow_graceful=False, wait=False)
    ray.shutdown()


class Head:
    """The head of the cluster, which a thread calls at times. `news`: what to tell the user, once."""

    def __init__(self) -> None:
        self.address = str(ray.get_runtime_context().gcs_address)
        self._answered = time.monotonic()
        self._told = False
        threading.Thread(target=self._call, name="ray head", daemon=True).start()

    @property
    def silent_for(self) -> float:
        """Seconds since it answered."""
        return time.monotonic() - self._answered

    @property
    def news(self) -> str | None:
        """That it went silent, or is back; each once."""
        silent = self.silent_for > 2 * KNOCK
        if silent == self._told:
            return None
        self._told = silent
        if silent:
            return f"Ray's head at {self.address} does not answer; waiting for it"
        return f"Ray's head at {self.address} answers again"

    def _call(self) -> None:
        host, _, port = self.address.rpartition(":")
        while ray.is_initialized():
            try:
                socket.create_connection((host.strip("[]"), int(port)), timeout=KNOCK).close()
                self._answered = time.monotonic()
            except OSError:
                pass
            time.sleep(KNOCK)
