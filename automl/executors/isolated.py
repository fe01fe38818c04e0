"""Jobs in a process of their own, which is killed when one has no time left."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from automl.contracts import Ending, Job, JobSource, Needs, Outcome, Report
from automl.executors.nursery import Forked, Nursery, close_all
from automl.executors.process import visible_gpus
from automl.executors.worker import LOADING
from automl.moments import around
from automl.signs import last_sign

POLL = 0.2  # seconds at most between two looks at the time that is left
SOON = 1e-3  # seconds


class Spawned:
    """A process of its own, which sees so many GPUs."""

    def __init__(self, gpus: float) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "automl.executors.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            env=os.environ | visible_gpus(gpus, os.environ),
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self.stdin, self.stdout = self._process.stdin, self._process.stdout

    def kill(self) -> None:
        """Kill it with all that it has started."""
        with suppress(ProcessLookupError):  # it has died by itself
            os.killpg(self._process.pid, signal.SIGKILL)
        self.wait()
        close_all(self.stdin.close, self.stdout.close)

    def wait(self) -> int:
        """The exit code, once it has ended; negative for a signal."""
        return self._process.wait()


class Isolated:
    """One worker process, started when a job needs it, used again while it lives; one job at a time.

    `job`: that is open. `patience`: seconds until it must be looked at again. `ready`: it has loaded code and
    data. `took`: seconds that it needed to `prepare`, once it has. `nursery`: forks the process.
    """

    def __init__(self, nursery: Nursery | None = None) -> None:
        self.nursery = nursery
        self.job: Job | None = None
        self.patience = POLL
        self.ready = False
        self.took: float | None = None
        self._prepares = 0.0  # monotonic seconds since when
        self._asked = 0.0  # monotonic seconds
        self._began: float | None = None
        self._lived = 0.0  # device-seconds of the job when its process was last seen alive
        self._gpus = 0.0  # that the process sees: those that its trials hold
        self._process: Spawned | Forked | None = None
        self._unread = b""

    @property
    def lives(self) -> bool:
        """Whether there is a process."""
        return self._process is not None

    @property
    def age(self) -> float:
        """Seconds since it began to prepare, or since its nursery could fork it."""
        began = self._prepares
        if self.nursery is not None and self.nursery.lives:
            began = max(began, self.nursery.ready or time.monotonic())
        return time.monotonic() - began

    def prepare(self, needs: Needs, gpus: float = 0.0) -> None:
        """Start the process, and let it load code and data before it has a job."""
        self._gpus, self._prepares = gpus, time.monotonic()
        self._send({"prepare": needs.to_json()})

    def begin(self, job: Job) -> None:
        """Hand a job to the process."""
        if job.gpus != self._gpus:
            self.close()
            self._gpus = job.gpus
        if not self._send({"job": job.to_json()}):
            self.close()  # it died between two jobs
            self._send({"job": job.to_json()})
        self.job, self._asked, self._began, self._lived = job, time.monotonic(), None, 0.0

    def attend(self, source: JobSource) -> None:
        """Take what the process has said, without waiting, and tell `source`. A job without time is ended."""
        if (job := self.job) is None:
            return
        try:
            ended = self._heard(job, source)
        except BaseException:
            self.close()
            raise
        if ended is None:
            return
        self.job = None
        if isinstance(ended, Outcome):
            source.finish(job.trial, job.token, ended)
        else:
            source.lost(job.trial, job.token, *ended)

    def listen(self) -> bool:
        """Take what a process without a job has said: that it is ready. Whether it lives."""
        while (message := self._next()) is not None:
            if not message:
                self.close()
                return False
            self._note_ready()
        return True

    def _note_ready(self) -> None:
        self.ready, self.took = True, self.age

    def close(self) -> None:
        """Kill the process, with all that it has started."""
        process, self._process, self._unread = self._process, None, b""
        self.job, self.ready = None, False
        if process is not None:
            process.kill()

    def _heard(self, job: Job, source: JobSource) -> Outcome | tuple[str, Ending, float] | None:
        """The outcome of the job, or how its process died and what it had used; None while it goes on."""
        now = self._elapsed(job)
        while (message := self._next()) is not None:
            if "started" in message:
                self._began, self.ready = time.monotonic(), True
            elif "report" in message:
                reason = source.report(job.trial, job.token, Report(**message["report"]))
                self._send({"reason": reason})
                break  # one that reports without a pause must be looked at, too
            elif "outcome" in message:
                return Outcome.from_json(message["outcome"])
            elif "ready" in message:
                self._note_ready()
            else:
                return *self._death(), max(self._lived, last_sign(Path(job.workdir), job.token) or 0.0)
        else:
            self._lived = now  # it could have said that it had died
        return self._late(job, source)

    def _late(self, job: Job, source: JobSource) -> Outcome | None:
        """The outcome of a job without time, whose process is ended."""
        elapsed = self._elapsed(job)
        self.patience = source.time_left(job.trial, job.token, elapsed)
        loads_too_long = self._began is None and time.monotonic() - self._asked > LOADING
        if self.patience > SOON and not loads_too_long:
            return None
        self.close()
        return job.late(elapsed)

    def _elapsed(self, job: Job) -> float:
        """Device-seconds of the job if its process lives."""
        return 0.0 if self._began is None else (time.monotonic() - self._began) * job.devices

    def _send(self, message: dict[str, Any]) -> bool:
        """Whether the process, started if there is none, could take a message."""
        if self._process is None:
            with around("process", "isolated"):
                forked = self.nursery.fork() if self.nursery is not None and not self._gpus else None
                self._process = forked or Spawned(self._gpus)
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return False
        return True

    def fileno(self) -> int:
        """Of what the process writes: it can be waited for."""
        assert self._process is not None
        return self._process.stdout.fileno()

    def _next(self) -> dict[str, Any] | None:
        """The next message that is there, or None; an empty one when the process has died."""
        while b"\n" not in self._unread:
            if not select.select([self], [], [], 0.0)[0]:
                return None
            read = os.read(self.fileno(), 1 << 16)
            if not read:
                return {}
            self._unread += read
        line, _, self._unread = self._unread.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message

    def _death(self) -> tuple[str, Ending]:
        """How the process died. SIGTERM is what a machine that is taken away sends."""
        assert self._process is not None
        code = self._process.wait()
        self.close()
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        return f"its worker died {how}", Ending.PREEMPTED if code == -signal.SIGTERM else Ending.LOST


def wait_for(workers: Iterable[Isolated], seconds: float) -> None:
    """Wait until one of the busy `workers` says something or must be looked at, `seconds` at most."""
    busy = [worker for worker in workers if worker.job is not None]
    patience = min([seconds, *(worker.patience for worker in busy)])
    select.select(busy, [], [], max(0.0, patience))
