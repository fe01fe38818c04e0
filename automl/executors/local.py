"""Trials one after the other on this machine, in this process or in one of their own."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Self

from pydantic import Field, model_validator

from automl import contracts
from automl.contracts import THIS_HOST, Executor, Held, JobSource, Room, UserError
from automl.executors.holding import held_instead
from automl.executors.inline import Inline
from automl.executors.isolated import Isolated
from automl.executors.ranks import check_ranks

WAIT = 0.05  # seconds, when no job can start yet


class Local(Executor):
    """Runs each job in the calling thread; with `isolate`, or a memory limit, in a process of its own.

    In the thread, a deadline interrupts Python code only: a C call goes on to its end. A process is killed.
    A memory limit in the thread would hold for the campaign too.
    """

    class Options(contracts.Options):
        """`cpus`: threads a trial may use; `gpus`: GPUs it holds (0 trains on the CPU).

        `isolate`: a process for the trials, which is killed at the deadline of one, even inside a C call.
        `ranks`: processes that train one trial together, dividing its CPUs; by default one, or one for each
        GPU. Trials of several are isolated.
        """

        cpus: int = Field(default=1, ge=1)
        gpus: int = Field(default=0, ge=0)
        ranks: int | None = Field(default=None, ge=1)
        isolate: bool = False

        @model_validator(mode="after")
        def _divides(self) -> Self:
            check_ranks(self.ranks, self.cpus, self.gpus)
            return self

    options: Options
    place_options = frozenset({"isolate"})
    place = THIS_HOST
    turn = 10.0  # nothing is opened for a slot

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.cpus = float(options.cpus)
        self.gpus = float(options.gpus)
        self.trials_at_once = 1
        self.rooms = (
            Room(os.cpu_count() or 1, max(1, options.gpus)),
        )  # trials here use the first GPUs alone
        self.ranks = options.ranks or max(1, options.gpus)
        self._worker, self._inline = Isolated(), Inline()
        self._separate()

    def serve(self, sizes: Sequence[Held]) -> None:
        """Note what trials will hold."""
        super().serve(sizes)
        self._separate()

    def _separate(self) -> None:
        self.isolate = self.options.isolate or self.slot.ranks > 1
        self.in_process = not self.isolate

    def held_by(self, cpus: float | None, gpus: float | None) -> Held:
        """What a trial holds whose arm asks for so much."""
        for name, value in {"cpus": cpus, "gpus": gpus}.items():
            if value is not None and value != int(value):
                raise UserError(
                    f"{name} must be whole where one trial runs at a time, but got {value:g}; round it, or "
                    "use executor: ray"
                )
        return held_instead(self.held, cpus, gpus)

    def check(self) -> None:
        """Raise `UserError` when this machine lacks the resources."""
        cores, slot = os.cpu_count() or 1, self.slot
        if slot.cpus > cores:
            raise UserError(
                f"executor.local.cpus must be at most this machine's {cores}, but got {slot.cpus:g}; "
                f"ask for {cores} or fewer, in arms too"
            )
        if slot.gpus:
            import torch  # torch takes seconds to import

            usable = torch.cuda.device_count() if torch.cuda.is_available() else 0
            if slot.gpus > usable:
                raise UserError(
                    f"executor.local.gpus must be at most the {usable} GPUs that can be used here, but got "
                    f"{slot.gpus:g}; set it to {usable}, in arms too"
                )

    def run(self, source: JobSource) -> None:
        """Run jobs from `source` until it is finished."""
        while not source.finished:
            job = source.next_job()
            if job is None:
                time.sleep(WAIT)
            elif self.isolate or job.memory is not None:
                self._worker.run(job, source)
            else:
                source.finish(job.trial, job.token, self._inline.run(job, source))

    def wake(self) -> None:
        """Let the trial of this process look at the time that is left; one of its own is asked anyway."""
        self._inline.wake()

    def close(self) -> None:
        """End the process of the trials, if there is one."""
        self._worker.close()


PLUGIN = Local
