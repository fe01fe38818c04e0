"""The processes that train one trial together: rank 0 is the worker that holds it, and starts the others.

They live on one machine, as threads of one trial would: started when a job needs them, used again while they
live, and ended with their worker, however that ends. Rank 0 alone reports, writes and is charged.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from automl.contracts import Ending, Evaluator, Job, Outcome, TrialState
from automl.executors.rank_processes import POOL, Death, RankProcess
from automl.ranks.group import ALONE, Group

LOADING = 3600.0  # wall seconds that code and data may take to load on every rank
GRACE = 5.0  # seconds that the other ranks have to end once this one has ended
FOLDER = "ranks"  # in a trial's folder: what the other ranks write, which nobody keeps


class Seat(Protocol):
    """A rank of a trial, as its process sees it."""

    rank: int
    size: int

    def join(self) -> Group:
        """Wait for the other ranks, once code and data are loaded."""

    def settled(self, outcome: Outcome) -> Outcome:
        """The outcome of the trial, when this rank's own evaluation has had `outcome`."""


class Alone:
    """The only rank of its trial."""

    rank, size = 0, 1

    def join(self) -> Group:
        """Nobody else."""
        return ALONE

    def settled(self, outcome: Outcome) -> Outcome:
        """Its own."""
        return outcome


class Rank0:
    """The worker that holds the trial."""

    rank = 0

    def __init__(self, job: Job, others: list[RankProcess]) -> None:
        from automl.ranks.processes import open_store  # torch takes seconds to import

        self.job, self.others, self.size = job, others, 1 + len(others)
        self._store = open_store()
        self._ended = False
        for one in others:
            one.begin({"job": job.to_json(), "size": self.size, "port": self._store.port})

    def join(self) -> Group:
        """Wait until all have loaded code and data. Raises `LostRankError` when one has not."""
        from automl.ranks.processes import Processes  # as above

        end = time.monotonic() + LOADING
        for one in self.others:
            message = one.next(end - time.monotonic())
            if not isinstance(message, dict) or "ready" not in message:
                raise LostRankError(one, message)
        group = Processes(self._store, 0, self.size, cuda=self.job.gpus > 0)
        if self.job.gpus > 0:  # NCCL notices no death by itself
            for one in self.others:
                one.when_lost(group.abort)
        return group

    def settled(self, outcome: Outcome) -> Outcome:
        """The outcome of rank 0, or of the rank by whose end it was ended; the others end."""
        end = time.monotonic() + GRACE
        ends = {one: one.next(max(0.0, end - time.monotonic())) for one in self.others}
        self._ended = all(message is not None and _is_orderly(message) for message in ends.values())
        if outcome.state is not TrialState.FAILED or outcome.ending is not Ending.LOST:
            return outcome
        for one, message in ends.items():
            if message is not None and (cause := _cause(one, message)) is not None:
                return replace(outcome, reason=cause.reason, traceback=cause.traceback, error=cause.error)
        silent = ", ".join(str(one.rank) for one, message in ends.items() if message is None)
        return (
            replace(outcome, reason=f"rank {silent} did not answer; {outcome.reason}") if silent else outcome
        )

    def leave(self) -> None:
        """Keep the other ranks for the next trial, if they are ready for one."""
        if not self._ended:
            POOL.close()
        shutil.rmtree(Path(self.job.workdir) / FOLDER, ignore_errors=True)


class LostRankError(RuntimeError):
    """A rank ended while it loaded; its own traceback is a note. `ending`: the class of its end."""

    def __init__(self, one: RankProcess, message: Death | dict[str, object] | None) -> None:
        cause = None if message is None else _cause(one, message)
        self.ending = Ending.LOST if cause is None else Ending(cause.error or Ending.EXCEPTION)
        super().__init__(f"rank {one.rank} did not load the trial" if cause is None else cause.reason)
        if cause is not None:
            self.add_note(cause.traceback)


def check_ranks(ranks: int | None, cpus: float, gpus: float) -> None:
    """Raise `ValueError` unless that many processes can divide what a trial holds; None: as many as GPUs."""
    if gpus > 1 and gpus != int(gpus):
        raise ValueError(f"gpus must be a whole number, or a part of one GPU, but got {gpus:g}")
    if gpus and ranks not in (None, 1, int(gpus)):
        raise ValueError(f"ranks must be 1 or the number of GPUs ({int(gpus)}), but got {ranks}")
    if ranks is not None and ranks > max(1.0, cpus) and not gpus:
        raise ValueError(f"ranks must be at most cpus ({cpus:g}), but got {ranks}; each needs one")


@contextmanager
def seated(job: Job, evaluator: Evaluator, seat: Seat | None) -> Iterator[Seat]:
    """The rank of this process in the trial: `seat` where it has one, else rank 0 of as many as can serve."""
    size = min(job.ranks, evaluator.most_ranks() or 1)
    if seat is not None or size == 1:
        yield seat or Alone()
        return
    rank_0 = Rank0(job, POOL.of(size - 1))
    try:
        yield rank_0
    finally:
        rank_0.leave()


def own_part(job: Job, seat: Seat) -> Job:
    """The job as this rank sees it: its part of CPUs and memory; a folder of its own unless it is rank 0."""
    if seat.size == 1:
        return job
    memory = None if job.memory is None else job.memory // seat.size
    own = replace(job, cpus=job.cpus / seat.size, memory=memory)
    if seat.rank == 0:
        return own
    return replace(own, workdir=str(Path(job.workdir) / FOLDER / str(seat.rank)), storage=None)


def _is_orderly(message: Death | dict[str, object]) -> bool:
    return not isinstance(message, Death) and _outcome(message).state is not TrialState.FAILED


def _outcome(message: dict[str, object]) -> Outcome:
    found = message.get("outcome")
    assert isinstance(found, dict), "a rank tells that it is ready, then its outcome"
    return Outcome.from_json(found)


def _cause(one: RankProcess, message: Death | dict[str, object]) -> Outcome | None:
    """How a rank has ended the trial; None when it was itself ended by another one."""
    if isinstance(message, Death):
        return Outcome(TrialState.FAILED, 0.0, reason=f"rank {one.rank} {message.how}", error=message.ending)
    outcome = _outcome(message)
    if outcome.state is not TrialState.FAILED or outcome.ending is Ending.LOST:
        return None
    return replace(outcome, reason=f"rank {one.rank}: {outcome.reason}")
