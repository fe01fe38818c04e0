"""A process that has loaded code and data, and forks those of trials: each begins at once.

Linux only, and for trials without GPUs and torch, whose threads and devices do not survive a fork.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, BinaryIO, Final

from automl import plugins
from automl.contracts import Needs
from automl.executors.process import visible_gpus

LONGEST: Final = 1 << 16  # bytes of a message
GOING: Final = 10.0  # seconds in which a process that is killed has gone
SHUNNED: Final = "torch"  # a library with threads and devices of its own


def may_fork(needs: Needs, gpus: float) -> bool:
    """Whether processes for `needs` may be forked from one that has loaded all.

    What an evaluator imports is imported here, too, when it is made.
    """
    for spec in needs.evaluators:
        plugins.build("evaluators", spec)
    return sys.platform == "linux" and not gpus and SHUNNED not in sys.modules


class Nursery:
    """The driver's side. It dies with the driver, and what it has forked with it.

    `ready`: the monotonic second at which it had loaded all, once it has.
    """

    def __init__(self, needs: Needs) -> None:
        self.ready: float | None = None
        self._count = 0
        self._born: dict[int, int] = {}  # the process of each number
        self._ended: dict[int, int] = {}  # its exit code, negative for a signal
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "automl.executors.forking"],
                stdin=theirs.fileno(),
                start_new_session=True,
                env=os.environ | visible_gpus(0, os.environ),
            )
        self._lives = True
        self._say({"prepare": needs.to_json()})

    @property
    def lives(self) -> bool:
        """Whether it can fork."""
        self.listen()
        return self._lives

    def fork(self) -> Forked | None:
        """A new process, which loads what a job needs besides, or None when none can be forked."""
        if not self.lives:
            return None
        (theirs_in, stdin), (stdout, theirs_out) = os.pipe(), os.pipe()
        self._count += 1
        try:
            born = self._say({"fork": self._count}, theirs_in, theirs_out)
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        made = Forked(self, self._count, os.fdopen(stdin, "wb"), os.fdopen(stdout, "rb"))
        if born:
            return made
        made.close()
        return None

    def listen(self, seconds: float = 0.0) -> bool:
        """Take what it has said, waiting so long for a first word; whether there was any."""
        heard = False
        while self._lives and select.select([self._socket], [], [], 0.0 if heard else seconds)[0]:
            try:
                told = self._socket.recv(LONGEST)
            except OSError:
                told = b""
            if not told:
                self._lives = False
                break
            self._note(json.loads(told))
            heard = True
        return heard

    def process(self, number: int) -> int | None:
        """The process of that number; None when it is not born yet."""
        self.listen()
        return self._born.get(number)

    def code(self, number: int) -> int:
        """The exit code of a process that ends; negative for a signal."""
        give_up = time.monotonic() + GOING
        while number not in self._ended and self.lives and time.monotonic() < give_up:
            self.listen(GOING / 100)
        return self._ended.get(number, -signal.SIGKILL)

    def close(self) -> None:
        """Kill it, and so all that it has forked."""
        self._lives = False
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._socket.close()

    def _note(self, told: dict[str, Any]) -> None:
        if "ready" in told:
            self.ready = told["ready"]
        elif "born" in told:
            self._born[told["born"]] = told["process"]
        else:
            self._ended[told["ended"]] = told["code"]

    def _say(self, message: dict[str, Any], *files: int) -> bool:
        said = json.dumps(message).encode()
        try:
            if len(said) <= LONGEST:
                socket.send_fds(self._socket, [said], files)
                return True
        except OSError:  # it has died
            pass
        self._lives = False
        return False


class Forked:
    """A process that a nursery has forked, or will in a moment."""

    def __init__(self, nursery: Nursery, number: int, stdin: BinaryIO, stdout: BinaryIO) -> None:
        self.stdin, self.stdout = stdin, stdout
        self._nursery, self._number = nursery, number

    def kill(self) -> None:
        """Kill it with all that it has started. One that is not born yet finds its input closed, and ends."""
        process = self._nursery.process(self._number)
        if process is not None:
            with suppress(ProcessLookupError):  # it has died by itself
                os.killpg(process, signal.SIGKILL)
            self.wait()
        self.close()

    def wait(self) -> int:
        """The exit code, once it has ended; negative for a signal."""
        return self._nursery.code(self._number)

    def close(self) -> None:
        """Close both pipes."""
        close_all(self.stdin.close, self.stdout.close)


def close_all(*closes: Callable[[], None]) -> None:
    """Close pipes, whose other ends may be gone."""
    for close in closes:
        with suppress(BrokenPipeError):
            close()
