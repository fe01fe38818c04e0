"""The processes of trials that run at once on this machine, and one that waits to replace another."""

from __future__ import annotations

from typing import Final

from automl.contracts import Job, JobSource, Needs
from automl.executors.isolated import POLL, Isolated, wait_for
from automl.executors.nursery import Nursery, may_fork

BUSY: Final = 1.2  # times what processes have needed to load: machines are busy at times
LATE: Final = 0.2  # of that: for one that has loaded for as long and is not ready


class Places:
    """So many jobs at once, each in a process of its own. `spare`: one more process waits, loaded.

    It takes the place of one that is killed with its trial, so that the next trial need not wait for imports
    and data. It is started once a trial has ended: before that it would only delay the others. Where
    processes may be forked, the one that waits forks all of them instead.
    """

    def __init__(self, count: int, *, spare: bool = False) -> None:
        self._workers = [Isolated() for _ in range(count)]
        self._wants_spare = spare
        self._spare = Isolated()
        self._needs: Needs | None = None
        self._gpus = 0.0
        self._warm = False  # a trial has ended
        self._nursery: Nursery | None = None

    @property
    def busy(self) -> int:
        """How many have a job."""
        return sum(worker.job is not None for worker in self._workers)

    @property
    def restart(self) -> float | None:
        """Seconds until another process could begin a job in place of one; None before any was prepared."""
        all_of_them = (*self._workers, self._spare)
        if any(worker.ready and worker.job is None for worker in all_of_them):
            return 0.0
        took = max((worker.took for worker in all_of_them if worker.took is not None), default=None)
        if took is None or not self._spare.lives:
            return took and BUSY * took
        return max(LATE * took, BUSY * took - self._spare.age)

    def prepare(self, needs: Needs, gpus: float) -> None:
        """Start the processes, and let each load code and data."""
        self._needs, self._gpus = needs, gpus
        if self._wants_spare and may_fork(needs, gpus):
            self._nursery, self._wants_spare = Nursery(needs), False
        for worker in self._workers:
            worker.nursery = self._nursery
            worker.prepare(needs, gpus)

    def free(self) -> Isolated | None:
        """A process without a job, a loaded one first; None when all have one."""
        idle = [worker for worker in self._workers if worker.job is None]
        return min(idle, key=lambda worker: not worker.lives, default=None)

    def begin(self, job: Job) -> None:
        """Hand a job to a free process."""
        worker = self.free()
        assert worker is not None, "a job is asked for only when a process is free"
        if not worker.lives and self._spare.lives:
            self._workers.remove(worker)
            self._workers.append(self._spare)
            worker, self._spare = self._spare, worker
        worker.begin(job)

    def attend(self, source: JobSource, seconds: float = POLL) -> None:
        """Take what the processes have said, waiting for it `seconds` at most."""
        wait_for(self._workers, seconds)
        before = self.busy
        for worker in self._workers:
            worker.attend(source)
        self._warm = self._warm or self.busy < before
        self._keep_spare()

    def close(self) -> None:
        """Kill all processes."""
        for worker in (*self._workers, self._spare):
            worker.close()
            worker.nursery = None
        if self._nursery is not None:
            self._nursery.close()
            self._nursery = None

    def _keep_spare(self) -> None:
        if not self._wants_spare or not self._warm or self._needs is None:
            return
        if self._spare.lives:
            self._wants_spare = self._spare.listen()  # one that dies by itself would die again
        else:
            self._spare.prepare(self._needs, self._gpus)
