"""The worker's side of a lane: jobs come in, run one after the other, and what is to be told goes out.

Messages are plain JSON, and jobs have numbers in them. In: `jobs` (what is not as in the one before),
`answers` (whether a trial goes on), `back` (jobs that shall not begin), `close`. Out, each with the number
`of` its job: `report`, `outcome` with the `seconds` it took, `elapsed` of a silent trial, `returned` for a
job that has not begun; and of the lane itself `turn`, the seconds of an exchange, and `leaves`.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

from automl.contracts import Job, Report
from automl.executors.process import HOST, device_name, waited
from automl.executors.tune import arrival
from automl.executors.worker import Clock, run_job
from automl.signs import EVERY, Signs

BEAT: Final = 1.0  # seconds until a trial without a message is said to run; then twice as long each time
GATHER: Final = 0.2  # seconds: while enough jobs wait, more is waited for unless none ended for so long
Message: TypeAlias = dict[str, Any]


class Desk:
    """The jobs of one lane. `waits`: a trial waits for the answer to each report; else that comes late."""

    def __init__(self, *, waits: bool = True) -> None:
        self._waits = waits
        lock = threading.RLock()
        self._changed, self._work = threading.Condition(lock), threading.Condition(lock)
        self._gathers = False  # messages are gathered: nobody waits for one more
        self._queue: deque[tuple[int, Job]] = deque()
        self._enough = 0  # jobs that wait while more are asked for
        self._given: dict[str, Any] = {}  # the last job, as it came
        self._head: _Attempt | None = None
        self._out: list[Message] = []
        self._error: BaseException | None = None
        self._since: float | None = None  # when it last told of an end, until it is answered
        self.closed = False
        for name, loop in (("signs", self._note_signs), ("trials", self._run_all)):
            threading.Thread(target=loop, name=name, daemon=True).start()

    def take(self, given: Mapping[str, Any]) -> None:
        """Take what the driver gives; may be called while `messages` waits."""
        with self._changed:
            if self._since is not None:
                self._out.append({"turn": time.monotonic() - self._since})
                self._since = None
            for number in given.get("back", ()):
                self._return(number)
            for number, goes_on in given.get("answers", ()):
                if self._head is not None and self._head.number == number:
                    self._head.answered(goes_on=goes_on)
            for number, job in given.get("jobs", ()):
                self._given = {**self._given, **job}
                self._queue.append((number, arrival.job(Job.from_json(self._given))))
            self._enough = len(self._queue) // 2
            self.closed = self.closed or bool(given.get("close"))
            self._work.notify()
            self._changed.notify_all()

    def leave(self) -> None:
        """Tell that this process is to end soon; nothing that waits begins any more."""
        with self._changed:
            self._out.append({"leaves": True})
            self._out += [] if self._head is None else self._head.sign()
            for number, _ in list(self._queue):
                self._return(number)
            self._changed.notify_all()

    def messages(self) -> list[Message]:
        """What is to be told, once there is something; none when the lane was closed.

        Raises an error of the worker itself.
        """
        with self._changed:
            while not self._told() and not self.closed:
                silent = None if self._head is None else self._head.silent_in()
                self._changed.wait(silent)
                self._out += [] if self._head is None else self._head.silence()
            self._gathers = True
            ended = -1
            while self._ends > ended and not self._stands():
                ended = self._ends
                self._changed.wait_for(self._stands, GATHER)
            self._gathers = False
            if self._error is not None and not self._out:
                raise self._error
            ends, out, self._out = self._ends, self._out, []
            if ends:
                self._since = time.monotonic()
            return out

    def _note_signs(self) -> None:
        """One thread for all trials of the lane: to start one takes a trial's time twice over."""
        while not self.closed:
            with self._changed:
                self._changed.wait_for(lambda: self._head is not None or self.closed)
                head = self._head
            young = 0.0 if head is None else max(0.0, EVERY - head.age)
            if head is not None and not young:  # or many short trials would each make a file
                head.signs.note()
            time.sleep(young or EVERY)

    @property
    def _ends(self) -> int:
        """Trials whose outcomes are to be told."""
        return sum("outcome" in message for message in self._out)

    def _told(self) -> bool:
        """Whether something besides a `turn` is to be told."""
        return self._error is not None or any("turn" not in message for message in self._out)

    def _stands(self) -> bool:
        """Whether what is to be told shall wait for nothing more."""
        if self.closed or self._error is not None or len(self._queue) < max(self._enough, 1):
            return True
        head = self._head
        return head is not None and (head.waits or (self._waits and head.silent_in() is None))

    def _return(self, number: int) -> None:
        for waiting in self._queue:
            if waiting[0] == number:
                self._queue.remove(waiting)
                self._out.append({"of": number, "returned": True})
                return

    def _run_all(self) -> None:
        """One thread for all trials, one after the other: to start one takes an empty trial's time."""
        while (attempt := self._next()) is not None:
            threading.current_thread().name = attempt.job.trial
            contextvars.copy_context().run(attempt.run)

    def _next(self) -> _Attempt | None:
        """The next trial, once there is one; None when none is to begin any more."""
        with self._changed:
            self._work.wait_for(lambda: self._queue or self.closed or self._error is not None)
            if self._error is not None or not self._queue:
                return None
            self._head = _Attempt(*self._queue.popleft(), self, waits=self._waits)
            self._tell()  # its silence is to be heard of
            return self._head

    def post(self, message: Message) -> None:
        """Called by an attempt: what is to be told of it. The caller holds `changed`."""
        self._out.append(message)
        self._tell()

    def ended(self, message: Message | None, error: BaseException | None = None) -> None:
        """Called by an attempt at its end: its outcome, or an error of the worker itself."""
        with self._changed:
            self._head, self._error = None, error
            self._out += [] if message is None else [message]
            self._tell()

    def _tell(self) -> None:
        """Wake what waits for messages: to do so for each of many short trials takes longer than they."""
        if not self._gathers or self._stands():
            self._changed.notify_all()

    @property
    def changed(self) -> threading.Condition:
        """Its lock."""
        return self._changed


class _Attempt:
    """A trial in the thread of its desk; the channel of its reports."""

    def __init__(self, number: int, job: Job, desk: Desk, *, waits: bool) -> None:
        self.number, self.job = number, job
        self.signs = Signs(Path(job.workdir), job.token, self._used)
        self.waits = False  # whether it waits for an answer now
        self._desk, self._strict = desk, waits
        self._stopped = False
        self._clock: Clock | None = None
        self._began, self._waited = time.monotonic(), waited()
        self._beat: float | None = BEAT  # after the last message; None: it is known to run
        self._spoke = self._began

    @property
    def age(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._began

    def answered(self, *, goes_on: bool) -> None:
        """Take the answer to a report."""
        self.waits, self._stopped = False, self._stopped or not goes_on

    def silent_in(self) -> float | None:
        """Seconds until it is to be told that it is silent; None when it need not be."""
        if self._beat is None or self.waits:
            return None
        return max(0.0, self._spoke + self._beat - time.monotonic())

    @property
    def silent(self) -> bool:
        """Whether it is to be told now that it is silent."""
        return self.silent_in() == 0.0

    def silence(self) -> list[Message]:
        """A sign of a trial that has told nothing for long enough."""
        if not self.silent:
            return []
        self._spoke = time.monotonic()
        self._beat = None if self._clock is not None or self._beat is None else 2 * self._beat
        return self.sign()

    def sign(self) -> list[Message]:
        """Device-seconds until now; None while its data are loaded."""
        clock = self._clock
        return [{"of": self.number, "elapsed": None if clock is None else clock(), **self._where()}]

    def report(self, report: Report) -> str | None:
        """Called by the trial; a reason ends it here."""
        with self._desk.changed:
            if self._stopped:
                return "stopped"
            self._beat, self.waits = None, self._strict
            self._desk.post({"of": self.number, "report": vars(report), **self._where()})
            self._desk.changed.wait_for(lambda: not self.waits)
            return "stopped" if self._stopped else None

    def _started(self, clock: Clock) -> None:
        self._clock = clock

    def _where(self) -> dict[str, str]:
        return {"host": HOST, "device": device_name("cuda:0" if self.job.gpus > 0 else "cpu")}

    def _used(self) -> dict[str, float]:
        """Device-seconds so far: the driver hears of a silent trial late, and may be killed before."""
        return {} if self._clock is None else {self.job.token: self._clock()}

    def run(self) -> None:
        """Run it to its end, and tell that."""
        try:
            try:
                outcome = run_job(self.job, self, self._started)
            finally:
                self.signs.close()
            took = max(0.0, self.age - (waited() - self._waited))
            self._desk.ended({"of": self.number, "outcome": outcome.to_json(), "seconds": took})
        except BaseException as error:
            self._desk.ended(None, error)
