"""The other ranks of a worker as processes: started, talked to, watched, ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from automl.contracts import Ending

FAILED = "failed"  # in the outcome of a rank that was not ended in order


@dataclass(frozen=True)
class Death:
    """How a process ended without an outcome."""

    how: str
    ending: Ending = Ending.LOST


class RankProcess:
    """One other rank, `rank` from 1. In the process group of its worker, so it is killed with that."""

    def __init__(self, rank: int) -> None:
        self.rank = rank
        words = [sys.executable, "-P", "-m", "automl.executors.follower", str(os.getpid())]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._messages: SimpleQueue[Death | dict[str, Any]] = SimpleQueue()
        self._when_lost: Callable[[], None] | None = None
        threading.Thread(target=self._read, name=f"rank {rank}", daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether it can take a job."""
        return self._process.poll() is None

    def begin(self, message: dict[str, Any]) -> None:
        """Give it a job; its death shows in what it says next."""
        self._when_lost = None
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps({**message, "rank": self.rank}).encode() + b"\n")
            self._process.stdin.flush()

    def next(self, seconds: float) -> Death | dict[str, Any] | None:
        """What it says next, or its death; None when there is nothing in so many seconds."""
        try:
            return self._messages.get(timeout=max(seconds, 1e-3))
        except Empty:
            return None

    def when_lost(self, call: Callable[[], None]) -> None:
        """`call`, in a thread, when it fails or dies in its present job."""
        self._when_lost = call

    def kill(self) -> None:
        """End it at once."""
        self._when_lost = None
        with suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message = json.loads(line)
            self._tell(message, lost=message.get("outcome", {}).get("state") == FAILED)
        self._tell(self._death(), lost=True)
        self._process.stdout.close()

    def _tell(self, message: Death | dict[str, Any], *, lost: bool) -> None:
        self._messages.put(message)
        if lost and self._when_lost is not None:
            self._when_lost()

    def _death(self) -> Death:
        """SIGTERM is what a machine that is taken away sends."""
        code = self._process.wait()
        if code < 0:
            ending = Ending.PREEMPTED if code == -signal.SIGTERM else Ending.LOST
            return Death(f"died by {signal.Signals(-code).name}", ending)
        return Death(f"ended with exit code {code}")


class Pool:
    """The other ranks of this worker, kept from one trial to the next."""

    def __init__(self) -> None:
        self._kept: list[RankProcess] = []
        # a child dies with the thread that started it (PR_SET_PDEATHSIG), so with one that never ends
        self._starter = ThreadPoolExecutor(1, "rank starter")

    def of(self, count: int) -> list[RankProcess]:
        """Ranks 1 to `count`, all alive."""
        if len(self._kept) < count or not all(one.alive for one in self._kept[:count]):
            self.close()
            self._kept = list(self._starter.map(RankProcess, range(1, count + 1)))
        return self._kept[:count]

    def close(self) -> None:
        """End them all."""
        ended, self._kept = self._kept, []
        for one in ended:
            one.kill()


POOL = Pool()
