"""The driver's view of a lane: the jobs that its worker holds, the clock of the one that runs."""

from __future__ import annotations

import json
import math
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from automl.contracts import Held, Job
from automl.executors.tune.desk import BEAT
from automl.executors.worker import LOADING
from automl.signs import last_sign

LOADS_IN_SILENCE: Final = 2.0 * BEAT
SHORT: Final = 2.0  # seconds: only behind trials that are shorter does a job wait in a lane
AHEAD: Final = 32  # jobs that wait in a lane at most; more spare nothing
UNKNOWN: Final = 4  # all that wait are at most one of so many trials, where a strategy learns from those
WORTH: Final = (
    0.02  # seconds of trials for which an exchange, which costs each side a millisecond, is worth it
)
TURN: Final = 0.02  # seconds that an exchange takes until one is measured
RECENT: Final = 4  # measurements that count


class Running:
    """What the driver knows of the clock of a trial that its worker has begun."""

    def __init__(self, devices: float) -> None:
        self.devices = devices
        self._began = self._told_at = time.monotonic()
        self._seconds = 0.0  # wall seconds of the trial when it was last heard of
        self._loads = True  # it was never heard to run

    def told(self, device_seconds: float | None) -> None:
        """The trial says what it has cost; None: it is still loading."""
        self._told_at = time.monotonic()
        if device_seconds is not None:
            self._seconds, self._loads = device_seconds / self.devices, False

    @property
    def last_sign(self) -> float:
        """Device-seconds when it was last heard of."""
        return self._seconds * self.devices

    def at(self, moment: float) -> float:
        """Device-seconds at a monotonic second since then, when its machine died."""
        silent = 0.0 if self._loads else max(0.0, moment - self._told_at)
        return self.last_sign + silent * self.devices

    @property
    def elapsed(self) -> float:
        """Wall seconds of its clock so far. One that does not even say that it is loading hangs."""
        silent = time.monotonic() - self._told_at
        return self._seconds + max(0.0, silent - LOADS_IN_SILENCE if self._loads else silent)

    @property
    def loads_too_long(self) -> bool:
        """Whether its code and data should have been loaded long ago."""
        return self._loads and self.held > LOADING

    @property
    def held(self) -> float:
        """Seconds that it has had its worker."""
        return time.monotonic() - self._began


@dataclass
class Handed:
    """A job that was asked of the campaign, the `number`-th of a run. `clock`: None until it begins.

    `told_at`: the monotonic second at which the campaign was told its end, while its worker still ends it.
    `asked_back`: it shall not begin; `late`: device-seconds when no time was left for it; `host` and
    `device`: where it runs, once it was heard of.
    """

    number: int
    job: Job
    clock: Running | None = None
    told_at: float | None = None
    asked_back: bool = False
    late: float | None = None
    host: str = ""
    device: str = ""

    @property
    def noted(self) -> float | None:
        """Device-seconds that its worker noted last; None where its folder is not seen from here."""
        return last_sign(Path(self.job.workdir), self.job.token)

    @property
    def last_sign(self) -> float:
        """Device-seconds when it last gave a sign."""
        return max(0.0 if self.clock is None else self.clock.last_sign, self.noted or 0.0)

    def used_at(self, moment: float) -> float:
        """Device-seconds at a monotonic second, until which it ran unless its worker noted otherwise."""
        if self.clock is None or self.noted is not None:
            return self.last_sign
        return self.clock.at(moment)


class Pace:
    """How long the trials of a lane have been lately, and an exchange with its worker."""

    def __init__(self) -> None:
        self._lengths: deque[float] = deque(maxlen=RECENT)  # seconds
        self._turns: deque[float] = deque([TURN], maxlen=RECENT)

    def took(self, seconds: float) -> None:
        """A trial took so long."""
        self._lengths.append(seconds)

    def turned(self, seconds: float) -> None:
        """An exchange took so long."""
        self._turns.append(seconds)

    @property
    def ahead(self) -> int:
        """Jobs that may wait in the lane: work for two exchanges, so that its worker never waits."""
        if self.length is None or self.length > SHORT:
            return 0
        return min(AHEAD, math.ceil(max(2 * fmean(self._turns), WORTH) / max(self.length, 1e-4)))

    @property
    def length(self) -> float | None:
        """Seconds of a trial; None until one has ended."""
        return fmean(self._lengths) if self._lengths else None


class Lane:
    """One worker: its jobs, of which the first one runs. `held`: what each holds; `node`: see `Place`."""

    def __init__(self, name: str, held: Held, node: str = "") -> None:
        self.name = name  # of its Tune trial
        self.held, self.node = held, node
        self.jobs: deque[Handed] = deque()
        self.pace = Pace()
        self.handle: Any = None  # the actor; None until it is up
        self.doomed = False  # its worker is to be killed, or was
        self.leaves_at: float | None = None  # its machine is taken away, it was told at this monotonic second
        self.closing = False
        self._given: Job | None = None  # the last one
        self._out: dict[str, Any] = {}

    @property
    def head(self) -> Handed | None:
        """The job that runs."""
        return self.jobs[0] if self.jobs else None

    @property
    def open(self) -> bool:
        """Whether it takes jobs."""
        return self.handle is not None and not (self.doomed or self.closing or self.leaves_at is not None)

    def room(self, ahead: int) -> int:
        """How many further jobs it takes now. `ahead`: how many may wait in it at most."""
        if not self.open:
            return 0
        short = self.head is None or self.head.clock is None or self.head.clock.held <= SHORT
        return max(0, 1 + (min(ahead, self.pace.ahead) if short else 0) - len(self.jobs))

    def add(self, handed: Handed) -> None:
        """Give it a job."""
        self.jobs.append(handed)
        self._out.setdefault("jobs", []).append((handed.number, handed.job.beyond(self._given)))
        self._given = handed.job
        self._begin()

    def answer(self, handed: Handed, *, goes_on: bool) -> None:
        """Answer a report."""
        self._out.setdefault("answers", []).append((handed.number, goes_on))

    def ask_back(self, handed: Handed) -> None:
        """Ask for a job that has not begun."""
        if not handed.asked_back:
            handed.asked_back = True
            self._out.setdefault("back", []).append(handed.number)

    def remove(self, handed: Handed) -> None:
        """A job has ended, or has come back; the next one has begun by now."""
        self.jobs.remove(handed)
        self._begin()

    def close(self) -> None:
        """Let its worker end once it holds no job; one that is not up is not waited for."""
        if not self.closing:
            self.closing = True
            self._out["close"] = True

    def send(self) -> None:
        """Send what is to be sent."""
        if self._out and self.handle is not None and not self.doomed:
            self.handle.give.remote(json.dumps(self._out))
            self._out = {}

    def _begin(self) -> None:
        if self.jobs and self.jobs[0].clock is None:
            self.jobs[0].clock = Running(self.jobs[0].job.devices)
