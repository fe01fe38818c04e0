"""One job in this thread: its deadline raises an exception inside its code."""

from __future__ import annotations

import ctypes
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from automl.contracts import LATE, Job, JobSource, Outcome, Report, TrialStopped
from automl.executors.surroundings import no_exit
from automl.executors.worker import LOADING, Clock, run_job

AGAIN = 0.5  # seconds until code that swallows an interruption is interrupted again
SOON = 1e-3  # seconds
IMPORTING = 30.0  # seconds that an import may end in: a library cut off in it fails every later trial
_IMPORT = ("<frozen importlib._bootstrap>", "_find_and_load")
_dropping: Final = threading.Lock()
_runs = 0  # jobs of this process, whose dropped interruptions are not shown
_shown: Callable[[sys.UnraisableHookArgs], object] = sys.__unraisablehook__  # all others


class DeadlinePassed(TrialStopped):
    """Raised inside the code of a trial that has no time left."""

    def __init__(self) -> None:
        super().__init__(LATE)


class Inline:
    """Runs one job at a time in the calling thread."""

    def __init__(self) -> None:
        self._channel: _Direct | None = None

    def run(self, job: Job, source: JobSource) -> Outcome:
        """Run `job`. Re-raises errors of the campaign, which are no fault of the trial."""
        self._channel = channel = _Direct(job, source)
        try:
            with _dropped_in_silence(), channel.limited(), no_exit():
                outcome = run_job(job, channel, channel.start)
        except DeadlinePassed:
            outcome = None
        finally:
            self._channel = None
        if channel.failure is not None:
            raise channel.failure
        if outcome is None or outcome.reason == LATE:
            return job.late(channel.elapsed)
        return outcome

    def wake(self) -> None:
        """Let the job look at the time that is left, now. Called from another thread."""
        if (channel := self._channel) is not None:
            channel.wake()


class _Direct:
    """Reports straight to the campaign. `failure`: an error of the campaign: no fault of the trial."""

    def __init__(self, job: Job, source: JobSource) -> None:
        self.job, self.source = job, source
        self.failure: BaseException | None = None
        self._clock: Clock | None = None
        self._began = time.monotonic()
        self._reporting = False
        self._late_since: float | None = None
        self._armed = False
        self._arming = threading.Lock()  # against `wake` at its end
        self._woken = False
        self._main = threading.current_thread() is threading.main_thread()

    @property
    def elapsed(self) -> float:
        """Device-seconds so far; none while data are loaded."""
        return self._clock() if self._clock is not None else 0.0

    def start(self, clock: Clock) -> None:
        """The clock of the trial runs: its time is counted from here."""
        self._clock = clock
        left = self._left()  # tells that it runs, too: from now on it pays when this process is killed
        if self._main:
            self._arm(left)

    def report(self, report: Report) -> str | None:
        self._reporting = True
        try:
            reason = self.source.report(self.job.trial, self.job.token, report)
            return reason or (LATE if self._left() <= 0 else None)
        except BaseException as error:
            self.failure = error
            return "the campaign failed"
        finally:
            self._reporting = False

    def _left(self) -> float:
        """Wall seconds; data may take long to load."""
        left = self.source.time_left(self.job.trial, self.job.token, self.elapsed)
        if self._clock is not None or left <= 0:
            return left
        return min(max(left, AGAIN), self._began + LOADING - time.monotonic())

    @contextmanager
    def limited(self) -> Iterator[None]:
        """Raise `DeadlinePassed` in the code of the block when no time is left."""
        if not self._main:
            with self._limited_by_thread():
                yield
            return
        before = signal.signal(signal.SIGALRM, self._interrupt)
        self._armed = True
        self._arm(self._left())
        try:
            yield
        finally:
            self._armed = False
            with self._arming:
                signal.setitimer(signal.ITIMER_REAL, 0)
                signal.signal(signal.SIGALRM, before)

    def wake(self) -> None:
        """Look at the time that is left soon; called from another thread."""
        self._woken = True
        with self._arming:
            self._arm(SOON)

    def _arm(self, seconds: float) -> None:
        if self._armed:
            signal.setitimer(signal.ITIMER_REAL, max(seconds, SOON))

    def _interrupt(self, _signal: int, frame: FrameType | None) -> None:
        """End the trial when no time is left, but never inside a transaction of its reports or an import."""
        if not self._armed:
            return
        if self._reporting:
            self._arm(AGAIN)
            return
        left = self._left()
        if left > SOON:
            self._arm(left)
            return
        if self._waits_for_import(frame):
            self._arm(AGAIN / 10)
            return
        self._arm(AGAIN)
        raise DeadlinePassed

    def _waits_for_import(self, frame: FrameType | None) -> bool:
        now = time.monotonic()
        self._late_since = self._late_since or now
        return now - self._late_since < IMPORTING and _imports(frame)

    @contextmanager
    def _limited_by_thread(self) -> Iterator[None]:
        """The same by a thread that watches, where no signal can arrive: it reaches Python loops only."""
        ended, thread = threading.Event(), threading.get_ident()

        def watch() -> None:
            while not ended.wait(AGAIN / 10):
                late = self.elapsed >= self.job.deadline * self.job.devices
                late = late or (self._woken and self._left() <= SOON)
                if late and not self._reporting and not self._waits_for_import(_frame_of(thread)):
                    _raise_in(thread, DeadlinePassed)
                    ended.wait(AGAIN)

        watcher = threading.Thread(target=watch, name="deadline", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()


@contextmanager
def _dropped_in_silence() -> Iterator[None]:
    """An interruption that Python drops, as in a `__del__`, comes again: it is not shown."""
    global _runs, _shown
    with _dropping:
        _runs += 1
        if _runs == 1:
            _shown, sys.unraisablehook = sys.unraisablehook, _show
    try:
        yield
    finally:
        with _dropping:
            _runs -= 1
            if not _runs:
                sys.unraisablehook = _shown


def _show(found: sys.UnraisableHookArgs) -> None:
    if not issubclass(found.exc_type, DeadlinePassed):
        _shown(found)


def _imports(frame: FrameType | None) -> bool:
    """Whether code of the trial is just importing something."""
    while frame is not None and frame.f_code is not Inline.run.__code__:
        if (frame.f_code.co_filename, frame.f_code.co_name) == _IMPORT:
            return True
        frame = frame.f_back
    return False


def _frame_of(thread: int) -> FrameType | None:
    return sys._current_frames().get(thread)


def _raise_in(thread: int, error: type[BaseException]) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error))
