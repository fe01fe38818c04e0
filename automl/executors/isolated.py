"""Jobs one after the other in a process of their own, which is killed when one has no time left."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any

from automl.contracts import Ending, Job, JobSource, Outcome, Report
from automl.executors.process import visible_gpus
from automl.executors.worker import LOADING
from automl.moments import around

POLL = 0.2  # seconds at most between two looks at the time that is left
SOON = 1e-3  # seconds


class Isolated:
    """One worker process at a time: started when a job needs it, used again while it lives."""

    def __init__(self) -> None:
        self._gpus = 0.0  # that the process sees: those that its trials hold
        self._process: subprocess.Popen[bytes] | None = None
        self._unread = b""

    def run(self, job: Job, source: JobSource) -> None:
        """Run `job` to its end, its loss included, and tell `source`."""
        if job.gpus != self._gpus:
            self.close()
            self._gpus = job.gpus
        try:
            ended = self._converse(job, source)
        except BaseException:
            self.close()
            raise
        if isinstance(ended, Outcome):
            source.finish(job.trial, job.token, ended)
        else:
            source.lost(job.trial, job.token, *ended)

    def close(self) -> None:
        """Kill the worker, with all processes that it has started."""
        process, self._process, self._unread = self._process, None, b""
        if process is None:
            return
        with suppress(ProcessLookupError):  # it has died by itself
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()

    def _converse(self, job: Job, source: JobSource) -> Outcome | tuple[str, Ending]:
        """The outcome of `job`, or how its worker died."""
        if not self._send({"job": job.to_json()}):
            self.close()  # it died between two jobs
            self._send({"job": job.to_json()})
        asked, began = time.monotonic(), None
        while True:
            now = time.monotonic()
            elapsed = 0.0 if began is None else (now - began) * job.devices
            left = source.time_left(job.trial, job.token, elapsed)
            if left <= SOON or (began is None and now - asked > LOADING):
                self.close()
                return job.late(elapsed)
            message = self._receive(min(left, POLL))
            if message is None:
                continue
            if "started" in message:
                began = time.monotonic()
            elif "report" in message:
                reason = source.report(job.trial, job.token, Report(**message["report"]))
                self._send({"reason": reason})
            elif "outcome" in message:
                return Outcome.from_json(message["outcome"])
            else:
                return self._death()

    def _send(self, message: dict[str, Any]) -> bool:
        """Whether the worker, started if there is none, could take a message."""
        if self._process is None:
            with around("process", "isolated"):
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "automl.executors.child"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    start_new_session=True,
                    env=os.environ | visible_gpus(self._gpus, os.environ),
                )
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return False
        return True

    def _receive(self, seconds: float) -> dict[str, Any] | None:
        """The next message within so many seconds, or None; an empty one when the worker has died."""
        assert self._process is not None and self._process.stdout is not None
        end = time.monotonic() + seconds
        while b"\n" not in self._unread:
            ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                return None
            read = os.read(self._process.stdout.fileno(), 1 << 16)
            if not read:
                return {}
            self._unread += read
        line, _, self._unread = self._unread.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message

    def _death(self) -> tuple[str, Ending]:
        """How the worker died. SIGTERM is what a machine that is taken away sends."""
        assert self._process is not None
        code = self._process.wait()
        self.close()
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        return f"its worker died {how}", Ending.PREEMPTED if code == -signal.SIGTERM else Ending.LOST
