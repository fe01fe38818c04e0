"""Whether a Ray cluster asks for a token: whoever reaches one without runs code on it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from ray._raylet import AuthenticationTokenLoader, Config  # type: ignore[attr-defined] # no public way

PATIENCE: Final = 20.0  # seconds that the head may take to answer
MODE: Final = "RAY_AUTH_MODE"
_OPEN: Final = "open"
_CALL: Final = f"""
import sys
from ray._raylet import GcsClient
GcsClient(address=sys.argv[1]).get_all_node_info(timeout=5)
print({_OPEN!r})
"""


@contextmanager
def read_again() -> Iterator[None]:
    """Start or join a cluster inside with the mode and token of the environment, which is then as before.

    Ray keeps for a process those of the first cluster, and writes its mode into the environment: a second
    cluster with another mode could not reach the driver, and would end each of its workers without a word.
    """
    before = os.environ.get(MODE)
    AuthenticationTokenLoader.instance().reset_cache()
    Config.initialize("")
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(MODE, None)


def asks_for_none(address: str) -> bool:
    """Whether the head at `host:port` answers a caller without a token. False also when it is away."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH_")}
    try:
        done = subprocess.run(  # a process of its own: Ray reads its mode once, and we have a token
            [sys.executable, "-P", "-c", _CALL, address],
            env={**kept, MODE: "disabled", "HOME": os.devnull},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.stdout.strip() == _OPEN


def tell_when_none(address: str, tell: Callable[[str], object]) -> None:
    """Find it out in a thread, and tell."""

    def find() -> None:
        if asks_for_none(address):
            tell(
                f"the Ray cluster at {address} asks for no token, so whoever reaches it runs code on it and "
                "reads what trials hold; start it with RAY_AUTH_MODE=token and one RAY_AUTH_TOKEN for all"
            )

    threading.Thread(target=find, name="ray token", daemon=True).start()
