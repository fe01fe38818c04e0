"""Trials that a program runs in a loop of its own: the executor and the evaluator of such studies.

The campaign runs in a thread. The program's calls reach it through a queue, so that all its state has one
thread, as with every executor.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import ClassVar, Final, TypeVar

from pydantic import Field

from automl import contracts
from automl.contracts import (
    Config,
    Context,
    Evaluator,
    EvaluatorOptions,
    Executor,
    Job,
    JobSource,
    Outcome,
    UserError,
)

T = TypeVar("T")
LOOK: Final = 0.2  # seconds between two looks at what open trials may still use
AGAIN: Final = 0.05  # seconds between two questions for a job
NO_DEADLINE: Final = 1e9  # seconds
_OUTSIDE: Final = "trials of this study run in a loop of a program's own; go on with automl.session"


class EndedError(Exception):
    """The campaign takes no more calls."""


class ToldOptions(EvaluatorOptions):
    """`deadline`: wall seconds from ask to tell, after which a trial is told to stop; by default any."""

    deadline: float = Field(default=NO_DEADLINE, gt=0)


class Told(Evaluator):
    """The evaluator of an outside loop: values are told, never measured here."""

    Options: ClassVar[type[EvaluatorOptions]] = ToldOptions
    reruns_without_data: ClassVar[bool] = True
    uses_mlflow: ClassVar[bool] = False

    def evaluate(self, config: Config, context: Context) -> contracts.Result:
        """Raises `UserError`: only the loop can measure."""
        raise UserError(f"a value must be told, but a worker was asked for one; {_OUTSIDE}")


class LoopOptions(contracts.Options):
    """`cpus`, `gpus`: what each trial holds; a wall second of a trial costs as many device-seconds."""

    cpus: float = Field(default=1, gt=0)
    gpus: float = Field(default=0, ge=0)


class Loop(Executor):
    """The executor of an outside loop: a session takes its jobs and tells what becomes of them."""

    Options = LoopOptions
    shares_folder = True

    options: LoopOptions

    def __init__(self, options: LoopOptions) -> None:
        super().__init__(options)
        self.cpus, self.gpus = options.cpus, options.gpus
        self.trials_at_once = 1000  # as many as the program asks for
        self.connected = False
        self.ready = threading.Event()  # jobs can be asked for, or the campaign has ended
        self.stops: dict[str, bool] = {}  # tokens of open attempts: whether one has to end now
        self._began: dict[str, tuple[Job, float]] = {}  # by token
        self._unclaimed: list[Job] = []  # handed out while the program was interrupted
        self._calls: queue.Queue[_Call] = queue.Queue()
        self._closing = self._closed = False
        self._lock = threading.Lock()
        self._process = os.getpid()

    def check(self) -> None:
        """Raise `UserError` where no session has made it, as when a study file names it."""
        if not self.connected:
            raise UserError(f"executor: must run trials by itself, but {_OUTSIDE}")

    def run(self, source: JobSource) -> None:
        """Take the session's calls until the campaign has all it needs. Raises `EndedError` at its close."""
        self.ready.set()
        while not source.finished:
            if self._closing:
                raise EndedError
            for token, (job, began) in list(self._began.items()):
                used = (time.monotonic() - began) * job.devices
                self.stops[token] = source.time_left(job.trial, token, used) <= 0
            try:
                call = self._calls.get(timeout=LOOK)
            except queue.Empty:
                continue
            call(source)

    def call(self, do: Callable[[JobSource], T]) -> T:
        """What `do` gives, called in the thread of the campaign. Raises `EndedError` when that has ended."""
        return self._submit(do).result()

    def _submit(self, do: Callable[[JobSource], T]) -> Future[T]:
        if os.getpid() != self._process:
            raise UserError(
                "a session must be used in the process that opened it, but got a call from a copy of it; let "
                "workers return their values, and tell them there"
            )
        done: Future[T] = Future()

        def work(source: JobSource) -> None:
            try:
                done.set_result(do(source))
            except BaseException as error:
                done.set_exception(error)
                raise  # the campaign must not go on without its ledger

        with self._lock:
            if self._closed or self._closing:
                raise EndedError
            self._calls.put(_Call(work, done))
        return done

    def ask(self) -> Job | None:
        """The next job; None when there is none before an open trial has ended. Waits while a pause lasts.

        Raises `EndedError` when the campaign has all it needs.
        """
        while not self._unclaimed:
            asked = self._submit(self._next)
            try:
                job = asked.result()
            except KeyboardInterrupt:
                asked.add_done_callback(self._keep)
                raise
            if job is not None or self._began:
                return job
            time.sleep(AGAIN)
        return self._unclaimed.pop(0)

    def _keep(self, asked: Future[Job | None]) -> None:
        """Keep the answer to a question that was interrupted, for the next one."""
        if asked.exception() is None and (job := asked.result()) is not None:
            self._unclaimed.append(job)

    def _next(self, source: JobSource) -> Job | None:
        job = None if source.finished else source.next_job()
        if job is not None:
            self._began[job.token] = (job, time.monotonic())
        return job

    def finish(self, job: Job, outcome: Outcome) -> None:
        """Take the end of an attempt. Raises `EndedError` when the campaign has ended before."""

        def work(source: JobSource) -> None:
            self._began.pop(job.token, None)
            self.stops.pop(job.token, None)
            source.finish(job.trial, job.token, outcome)

        self.call(work)

    def leave(self) -> None:
        """Let the campaign end at its next look, to be continued later."""
        self._closing = True

    def close(self) -> None:
        """Take no more calls; those that wait are answered."""
        with self._lock:
            self._closed = True
        self.ready.set()
        while True:
            try:
                self._calls.get_nowait().done.set_exception(EndedError())
            except queue.Empty:
                return


class _Call:
    def __init__(self, work: Callable[[JobSource], None], done: Future[T]) -> None:
        self._work, self.done = work, done

    def __call__(self, source: JobSource) -> None:
        self._work(source)


EVALUATOR: Final = f"{__name__}:{Told.__name__}"
EXECUTOR: Final = f"{__name__}:{Loop.__name__}"
