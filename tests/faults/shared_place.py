"""Drivers that share a place: processes whose executor holds slots and only waits, which costs no CPU."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

import own_processes
from patience import PATIENCE

from automl.ledger import Ledger, Store

CODE = """
import os, time
from pathlib import Path
from automl import contracts
from automl.contracts import Executor, Outcome, Room, TrialState

class Shelf(Executor):
    "Holds slots, and ends each trial after some seconds without running it."
    class Options(contracts.Options):
        slots: int = 4
        seconds: float = 0.25
        drivers: int = 1
    place_options = frozenset({"slots", "seconds", "drivers"})
    place = "shelf"
    turn = 2.0

    def __init__(self, options):
        super().__init__(options)
        self.trials_at_once, self.rooms = options.slots, (Room(options.slots),)

    def check(self):
        pass

    def close(self):
        pass

    def note(self, what, job):
        line = f"{time.monotonic()} {what} {job.trial}\\n"
        file = os.open(Path(__file__).with_name("events"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, line.encode())
        os.close(file)

    def run(self, source):
        here = Path(__file__).parent
        (here / f"up-{os.getpid()}").touch()
        while len(list(here.glob("up-*"))) < self.options.drivers:
            time.sleep(0.05)
        open_ones = []
        while not source.finished:
            now = time.monotonic()
            for end, job in [one for one in open_ones if one[0] <= now]:
                open_ones.remove((end, job))
                self.note("end", job)
                outcome = Outcome(TrialState.COMPLETE, self.options.seconds, values=[job.config["x"]])
                source.finish(job.trial, job.token, outcome)
            while len(open_ones) < self.options.slots and (job := source.next_job()) is not None:
                self.note("start", job)
                open_ones.append((time.monotonic() + self.options.seconds, job))
            time.sleep(0.01)

PLUGIN = Shelf
"""
SPACE = """
from automl.space import Float, Space
SPACE = Space({"x": Float(0.0, 1.0)})
def objective(config, context):
    return config["x"]
"""
STUDY = """
name: NAME
task: {metric: loss, direction: minimize}
space: "shelf_code:SPACE"
evaluator: {function: {call: "shelf_code:objective"}}
budget: {trials: 40}
seeds: 1
arms: {random: {strategy: random}}
executor: {shelf: {}}
final: {seeds: 0}
"""


class Event(NamedTuple):
    """A trial starts or ends in a slot, at a second of the clock that all processes of the machine share."""

    at: float
    starts: bool
    study: str


@dataclass
class Shared:
    """Studies in `folder` whose drivers share a place on `store`."""

    folder: Path
    store: Store
    environment: dict[str, str] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        plugins = self.folder / "plugins"
        (plugins / "executors").mkdir(parents=True)
        (plugins / "executors/shelf.py").write_text(CODE)
        (self.folder / "shelf_code.py").write_text(SPACE)
        own = {"AUTOML_PLUGINS": str(plugins), **self.environment}
        self.environment = {**os.environ, **own_processes.on_store(self.store), **own}

    def start(self, study: str, *settings: str, **executor: object) -> subprocess.Popen[bytes]:
        """`automl run` of a study of that name, in the background."""
        (self.folder / f"{study}.yaml").write_text(STUDY.replace("NAME", study))
        named = [f"executor.shelf.{name}={value}" for name, value in executor.items()]
        words = [word for setting in [*named, *settings] for word in ("--set", setting)]
        process = own_processes.driver(
            self.folder, self.environment, self._log(study), f"{study}.yaml", *words
        )
        self.processes[study] = process
        return process

    def ended(self) -> None:
        """Wait until all drivers have ended, and well."""
        for study, process in self.processes.items():
            assert process.wait(PATIENCE) in (0, -signal.SIGKILL), self.log(study)

    def command(self, *words: str) -> tuple[int, str]:
        """Another command; its exit status and what it said."""
        return own_processes.command(self.folder, self.environment, *words)

    def until(self, what: Callable[[], Any]) -> None:
        """Wait until `what` is true."""
        end = time.monotonic() + PATIENCE
        while not what():
            assert time.monotonic() < end, [self.log(study) for study in self.processes]
            time.sleep(0.05)

    def log(self, study: str) -> str:
        return self._log(study).read_text().replace("\n  ", " ")

    def _log(self, study: str) -> Path:
        return self.folder / f"{study}.log"

    def events(self) -> list[Event]:
        file = self.folder / "plugins/executors/events"
        words = [line.split() for line in file.read_text().splitlines()] if file.exists() else []
        return sorted(
            Event(float(at), what == "start", trial.partition("-1/")[0]) for at, what, trial in words
        )

    def running(self, study: str) -> int:
        return sum(1 if one.starts else -1 for one in self.events() if one.study == study)

    def most_at_once(self) -> int:
        """Slots held at once by all drivers together, at most."""
        return max(accumulate(1 if one.starts else -1 for one in self.events()))

    def end_of(self, study: str) -> float:
        """Seconds from the first start of all to the last end of that study."""
        own = [one.at for one in self.events() if one.study == study]
        return max(own) - min(one.at for one in self.events())

    def starts(self, study: str, until: float) -> int:
        """Trials of a study that had started at so many seconds."""
        first = min(one.at for one in self.events())
        return sum(one.starts and one.study == study and one.at - first <= until for one in self.events())

    def ledger(self) -> Ledger:
        return Ledger(self.store)


@contextmanager
def shared(folder: Path, store: Store) -> Iterator[Shared]:
    """Kill what is left at the end."""
    place = Shared(folder, store)
    try:
        yield place
    finally:
        for process in place.processes.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
