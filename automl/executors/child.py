"""The worker's side of `isolated`: `python -m automl.executors.child` runs jobs from standard input."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from automl.contracts import Job, Needs, Outcome, Report
from automl.executors.worker import Clock, load, run_job
from automl.signs import Signs

PARENT_DEATH = 1  # prctl(2): PR_SET_PDEATHSIG


class Pipe:
    """The connection to the driver: one line of JSON a message."""

    def __init__(self, incoming: BinaryIO, outgoing: BinaryIO) -> None:
        self._incoming, self._outgoing = incoming, outgoing

    def send(self, **message: Any) -> None:
        """Write one message."""
        self._outgoing.write(json.dumps(message).encode() + b"\n")
        self._outgoing.flush()

    def receive(self) -> Any:
        """The next message; None when the driver has gone."""
        line = self._incoming.readline()
        return json.loads(line) if line else None

    def report(self, report: Report) -> str | None:
        """Called by the trial: waits for the answer to its report."""
        self.send(report=asdict(report))
        answer = self.receive()
        if answer is None:
            os._exit(1)
        reason: str | None = answer["reason"]
        return reason


def die_with(parent: int) -> None:
    """End this process by SIGKILL when the thread that started it in process `parent` ends; Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PARENT_DEATH, signal.SIGKILL)
        if os.getppid() != parent:  # it has ended already
            os._exit(1)


def standard_pipe() -> Pipe:
    """Standard input and output as a connection; what code prints, from C too, goes to standard error."""
    pipe = Pipe(os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb"))
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.dup2(2, 1)
    return pipe


def run_with_signs(job: Job, pipe: Pipe) -> Outcome:
    """Run a job, and note what it uses: the driver may stand still, or hear late of this process's death."""
    clocks: dict[str, Clock] = {}

    def started(clock: Clock) -> None:
        clocks[job.token] = clock
        pipe.send(started=True)

    def used() -> dict[str, float]:
        return {token: clock() for token, clock in list(clocks.items())}

    with Signs(Path(job.workdir), job.token, used).noted():
        return run_job(job, pipe, started)


def serve(pipe: Pipe) -> None:
    """Run jobs until the driver closes the pipe."""
    worker = os.getpid()
    while (message := pipe.receive()) is not None:
        if "prepare" in message:
            load(Needs.from_json(message["prepare"]))
            pipe.send(ready=True)
            continue
        job = Job.from_json(message["job"])
        outcome = run_with_signs(job, pipe)
        if os.getpid() != worker:
            os._exit(0)  # the code forked, and this is the copy
        pipe.send(outcome=outcome.to_json())


def main() -> None:
    """Serve the driver at the other end of standard input and output."""
    die_with(os.getppid())
    serve(standard_pipe())


if __name__ == "__main__":
    main()
