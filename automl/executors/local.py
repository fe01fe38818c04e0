"""Trials on this machine: one after the other in this process, or some at once in processes of their own."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Self

from pydantic import Field, model_validator

from automl import contracts
from automl.contracts import THIS_HOST, Executor, Held, JobSource, Needs, Room, UserError
from automl.executors.holding import held_instead
from automl.executors.inline import Inline
from automl.executors.isolated import POLL
from automl.executors.places import Places
from automl.executors.ranks import check_ranks

WAIT = 0.05  # seconds, when no job can start yet


class Local(Executor):
    """Runs each job in the calling thread; with `isolate`, or a memory limit, in a process of its own.

    Several at once are always in processes of their own.

    In the thread, a deadline interrupts Python code only: a C call goes on to its end. A process is killed.
    A memory limit in the thread would hold for the campaign too.
    """

    class Options(contracts.Options):
        """`cpus`: threads a trial may use; `gpus`: GPUs it holds (0 trains on the CPU).

        `trials_at_once`: how many run side by side. `isolate`: a process for the trials, which is killed at
        the deadline of one, even inside a C call. `spare`: one more such process, which has loaded code and
        data, waits to replace one that was killed; on Linux it forks all of them, unless they need GPUs or
        torch. `ranks`: processes that train one trial together, dividing its CPUs; by default one, or one
        for each GPU. Trials of several, and several at once, are isolated.
        """

        cpus: int = Field(default=1, ge=1)
        gpus: int = Field(default=0, ge=0)
        trials_at_once: int = Field(default=1, ge=1)
        ranks: int | None = Field(default=None, ge=1)
        isolate: bool = False
        spare: bool = False

        @model_validator(mode="after")
        def _divides(self) -> Self:
            check_ranks(self.ranks, self.cpus, self.gpus)
            return self

    options: Options
    place_options = frozenset({"isolate", "spare"})
    place = THIS_HOST
    turn = 10.0  # nothing is opened for a slot

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.cpus = float(options.cpus)
        self.gpus = float(options.gpus)
        self.trials_at_once = options.trials_at_once
        self.rooms = (
            Room(os.cpu_count() or 1, max(1, options.gpus)),
        )  # trials here use the first GPUs alone
        self.ranks = options.ranks or max(1, options.gpus)
        self._places, self._inline = Places(options.trials_at_once, spare=options.spare), Inline()
        self._separate()

    def serve(self, sizes: Sequence[Held]) -> None:
        """Note what trials will hold."""
        super().serve(sizes)
        self._separate()

    def _separate(self) -> None:
        several = self.slot.ranks > 1 or self.trials_at_once > 1
        self.isolate = self.options.isolate or self.options.spare or several
        self.in_process = not self.isolate

    @property
    def restart(self) -> float | None:
        """Wall seconds until a trial could begin in place of one that is ended."""
        return self._places.restart

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
        cores, slot, at_once = os.cpu_count() or 1, self.slot, self.trials_at_once
        if slot.cpus * at_once > cores:
            each = f"{slot.cpus:g}" if at_once == 1 else f"{at_once} trials at once with {slot.cpus:g} each"
            raise UserError(
                f"executor.local.cpus must be at most this machine's {cores}, but got {each}; "
                f"ask for {cores} or fewer, in arms too"
            )
        if slot.gpus and at_once > 1:
            raise UserError(
                f"executor.local.trials_at_once must be 1 for trials that hold GPUs, but got {at_once}; use "
                "executor: ray, which gives each its own"
            )
        if slot.gpus:
            import torch  # torch takes seconds to import

            usable = torch.cuda.device_count() if torch.cuda.is_available() else 0
            if slot.gpus > usable:
                raise UserError(
                    f"executor.local.gpus must be at most the {usable} GPUs that can be used here, but got "
                    f"{slot.gpus:g}; set it to {usable}, in arms too"
                )

    def examine(self, needs: Needs, tell: Callable[[str], None]) -> None:
        """Let the processes of trials load code and data meanwhile."""
        if self.isolate:
            self._places.prepare(needs, self.slot.gpus)

    def run(self, source: JobSource) -> None:
        """Run jobs from `source` until it is finished."""
        try:
            while not source.finished:
                idle = self._hand_out(source)
                if self._places.busy:
                    self._places.attend(source, WAIT if idle else POLL)
                elif idle:
                    time.sleep(WAIT)
        except BaseException:
            self._places.close()
            raise

    def _hand_out(self, source: JobSource) -> bool:
        """Give jobs to what is free. Whether there were fewer than could run."""
        while self._places.free() is not None:
            job = source.next_job()
            if job is None:
                return True
            if self.isolate or job.memory is not None:
                self._places.begin(job)
            else:
                source.finish(job.trial, job.token, self._inline.run(job, source))
                return False
        return False

    def wake(self) -> None:
        """Let the trial of this process look at the time that is left; one of its own is asked anyway."""
        self._inline.wake()

    def close(self) -> None:
        """End the processes of trials."""
        self._places.close()


PLUGIN = Local
