"""Any rank but 0: `python -m automl.executors.follower PARENT` runs its part of jobs from standard input."""

from __future__ import annotations

import os
import sys

from automl.contracts import Job, Outcome, Report, TrialState
from automl.executors.child import Pipe, die_with, standard_pipe
from automl.executors.worker import run_job
from automl.ranks.group import Group


class Silent:
    """Reports nothing: rank 0 does, and tells the others whether the trial goes on."""

    def report(self, report: Report) -> str | None:
        """Nothing."""
        return None


class Follower:
    """The seat of this process in a trial."""

    def __init__(self, pipe: Pipe, rank: int, size: int, port: int, *, cuda: bool) -> None:
        self.pipe, self.rank, self.size, self.port, self.cuda = pipe, rank, size, port, cuda

    def join(self) -> Group:
        """Wait for the other ranks, once code and data are loaded."""
        from automl.ranks.processes import Processes, find_store  # torch takes seconds to import

        self.pipe.send(ready=True)
        return Processes(find_store(self.port), self.rank, self.size, cuda=self.cuda)

    def settled(self, outcome: Outcome) -> Outcome:
        """Its own."""
        return outcome


def main() -> None:
    """Run this rank's part of jobs until the worker closes the pipe, or one fails."""
    die_with(int(sys.argv[1]))
    pipe = standard_pipe()
    process = os.getpid()
    while (message := pipe.receive()) is not None:
        job = Job.from_json({**message["job"], "run": None})
        seat = Follower(pipe, message["rank"], message["size"], message["port"], cuda=job.gpus > 0)
        outcome = run_job(job, Silent(), seat=seat)
        if os.getpid() != process:
            os._exit(0)  # the code forked, and this is the copy
        pipe.send(outcome=outcome.to_json())
        if outcome.state is TrialState.FAILED:
            os._exit(1)  # its connections close, so that the other ranks notice


if __name__ == "__main__":
    main()
