"""The contract of executors, plug-ins that say where trials run, and the campaign as they see it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

from automl.contracts.basics import Options as BaseOptions
from automl.contracts.endings import Ending
from automl.contracts.messages import Job, Outcome, Report


class JobSource(Protocol):
    """The campaign as executors see it: they pull jobs and push what happens to them."""

    def next_job(self) -> Job | None:
        """The next job; None when there is none now (see `finished`)."""

    @property
    def finished(self) -> bool:
        """No job is open and none will come."""

    def report(self, trial: str, token: str, report: Report) -> str | None:
        """Take a report; a reason ends the trial, None lets it continue."""

    def time_left(self, trial: str, token: str, elapsed: float) -> float:
        """Wall seconds that an attempt may go on after `elapsed` device-seconds; at 0 it must be ended.

        Follows what is left of the budget, so it also changes by what other trials use, and is 0 at once when
        a user stops a trial: ask several times a second, or when `Executor.wake` is called. An executor that
        ends an attempt by it says so to `finish` as for `Job.deadline`.
        """

    def finish(self, trial: str, token: str, outcome: Outcome) -> None:
        """Take the end of an attempt."""

    def lost(
        self, trial: str, token: str, reason: str, ending: Ending = Ending.LOST, used: float | None = None
    ) -> None:
        """The attempt's worker died: retry it from its checkpoint or fail it.

        `ending`: PREEMPTED when its machine was taken away, OOM when it was killed for its memory.
        `used`: device-seconds of the attempt at its last sign of life; None: it has just died.
        """

    def tell(self, text: str) -> None:
        """Show the user a line about where trials run: what is waited for, what was started again.

        May be called from any thread.
        """


class Executor(ABC):
    """Where trials run. A plug-in is a subclass that takes its validated `Options`.

    - `Options` (none): the options of the executor; unknown ones are refused.
    - `example_options` (none): options, as a study file writes them, with which a contract suite builds it.
    - `place_options` (none): names of options that say where trials run but cannot change a result; they do
      not belong to a campaign's identity.
    - `cpus`, `gpus`: what each trial holds.
    - `ranks` (1): processes that train each trial together, dividing what it holds.
    - `trials_at_once`: what is expected before `check`, and exact after it.
    - `in_process` (False): trials run in the process of the campaign, so objects of it can serve them.
    """

    Options: ClassVar[type[BaseOptions]] = BaseOptions
    example_options: ClassVar[Mapping[str, Any]] = {}
    place_options: ClassVar[frozenset[str]] = frozenset()

    options: BaseOptions
    cpus: float = 1.0
    gpus: float = 0.0
    ranks: int = 1
    trials_at_once: int = 1
    in_process: bool = False

    def __init__(self, options: BaseOptions) -> None:
        self.options = options

    @property
    def devices(self) -> float:
        """What a wall second of a trial costs in device-seconds: GPUs held, or CPUs when it holds none."""
        return self.gpus or self.cpus

    @abstractmethod
    def check(self) -> None:
        """Start what it needs. Raises `UserError` when no node has the resources a trial asks for."""

    @abstractmethod
    def run(self, source: JobSource) -> None:
        """Run jobs from `source` until it is finished."""

    def wake(self) -> None:  # noqa: B027 - most executors need not do anything
        """Ask `time_left` of every open trial soon: one may have to end. Called from another thread.

        Nothing to do for an executor that asks several times a second anyway.
        """

    @abstractmethod
    def close(self) -> None:
        """Release all workers; may be called twice, and before `check`."""
