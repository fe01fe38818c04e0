"""Trials one after the other in this process, with full tracebacks; for debugging and tests."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import Field

from automl import contracts
from automl.contracts import (
    Executor,
    Job,
    JobSource,
    Outcome,
    Report,
    RunError,
    TrialState,
    TrialStopped,
    UserError,
)
from automl.executors.surroundings import no_exit
from automl.executors.worker import run_job


class Local(Executor):
    """Runs each job in the calling thread. A deadline interrupts Python code, not a hanging C call."""

    class Options(contracts.Options):
        """`cpus`: threads a trial may use; `gpus`: GPUs it holds (0 trains on the CPU)."""

        cpus: int = Field(default=1, ge=1)
        gpus: int = Field(default=0, ge=0, le=1)

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.cpus = float(options.cpus)
        self.gpus = float(options.gpus)
        self.trials_at_once = 1

    def check(self) -> None:
        """Raise `UserError` when this machine lacks the resources."""
        cores = os.cpu_count() or 1
        if self.cpus > cores:
            raise UserError(
                f"executor.local.cpus must be at most this machine's {cores}, but got {self.cpus:g}; "
                f"ask for {cores} or fewer"
            )
        if self.gpus:
            import torch  # torch takes seconds to import

            if not torch.cuda.is_available():
                raise UserError(
                    "executor.local.gpus must be 0 on a machine without a usable GPU, but got 1; set it to 0"
                )

    def run(self, source: JobSource) -> None:
        """Run jobs from `source` until it is finished."""
        while not source.finished:
            job = source.next_job()
            if job is None:
                raise RunError("the campaign is not finished but has no job to run; please report this")
            source.finish(job.trial, job.token, _run(job, source))

    def close(self) -> None:
        """Nothing to release."""


class _DeadlinePassed(TrialStopped):
    """Raised from the timer's signal inside the trial."""


_LATE = "deadline"


class _Direct:
    """Reports straight to the campaign. `failure`: an error of the campaign: no fault of the trial."""

    def __init__(self, job: Job, source: JobSource) -> None:
        self.job, self.source = job, source
        self.failure: BaseException | None = None
        self._reporting = False
        self._late = False

    def report(self, report: Report) -> str | None:
        self._reporting = True
        try:
            reason = self.source.report(self.job.trial, self.job.token, report)
        except BaseException as error:
            self.failure = error
            return "the campaign failed"
        finally:
            self._reporting = False
        return reason or (_LATE if self._late else None)

    def interrupt(self, _signal: int, _frame: object) -> None:
        """End the trial at its deadline, but only between the transactions of its reports."""
        if not self._reporting:
            raise _DeadlinePassed(_LATE)
        self._late = True


def _run(job: Job, source: JobSource) -> Outcome:
    channel = _Direct(job, source)
    try:
        with _deadline(job.deadline, channel), no_exit():
            outcome = run_job(job, channel)
    except _DeadlinePassed:
        outcome = None
    if channel.failure is not None:
        raise channel.failure
    if outcome is None or outcome.reason == _LATE:
        late = f"deadline: the trial took longer than {job.deadline:g} s"
        cost = outcome.device_seconds if outcome else job.deadline * job.devices
        return Outcome(TrialState.FAILED, cost, reason=late)
    return outcome


@contextmanager
def _deadline(seconds: float, channel: _Direct) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, channel.interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


PLUGIN = Local
