"""The contract of executors: plug-ins that say where trials run; and the campaign as they see it."""

from __future__ import annotations

from typing import ClassVar, Protocol

from automl.contracts.basics import Options
from automl.contracts.messages import Job, Outcome, Report


class JobSource(Protocol):
    """The campaign as executors see it: they pull jobs and push what happens to them."""

    def next_job(self) -> Job | None:
        """The next job; None when there is none now (see `finished`)."""

    @property
    def finished(self) -> bool:
        """No job is open and none will come."""

    def report(self, trial: str, token: str, report: Report) -> str | None:
        """Take a report; a reason ends the trial, None lets it go on."""

    def finish(self, trial: str, token: str, outcome: Outcome) -> None:
        """Take the end of an attempt."""

    def lost(self, trial: str, token: str, reason: str) -> None:
        """The attempt's worker died: retry it from its checkpoint or fail it."""


class Executor(Protocol):
    """Where trials run. A plug-in is a class taking its validated `Options`.

    `cpus`, `gpus`: what each trial holds; `trials_at_once` is right after `check`.
    """

    Options: ClassVar[type[Options]]
    cpus: float
    gpus: float
    trials_at_once: int

    def check(self) -> None:
        """Raise `UserError` when no node has the resources a trial asks for. Starts what it needs."""

    def run(self, source: JobSource) -> None:
        """Run jobs from `source` until it is finished."""

    def close(self) -> None:
        """Let go of all workers."""
