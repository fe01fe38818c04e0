"""A nemesis over daemons, drivers, their workers, Ray, PostgreSQL and its network, clocks and a disk.

It does what it likes, but it spares a firing that one more kill in a row makes fail, as documented, and its
studies try a trial again however often its worker was killed: on a busy machine it kills what has not even
started.

`python tests/faults/nemesis.py MINUTES [SEED]` prints what it did and what the invariants found.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))
import fault_points
from fault_study import PRELOADED, FaultStudy
from invariants import faults_of, faults_of_campaign, processes_of, query
from network import Link
from patience import PATIENCE
from postgres_server import PostgresServer, server_programs

from automl import schedule
from automl.contracts import RunError
from automl.ledger import Ledger, ScheduleRow, Store, resolve_store
from automl.schedule.daemon import MAX_KILLS
from automl.storage import prepare

NOON = 1768046400.0  # 2026-01-10 12:00 UTC
SPEED = 10  # seconds of the daemons' clock in one second: a slot of each study in six
STARVED = (
    0.25  # seconds that a process may stand still between its clock and its note, so busy is the machine
)
DISK = 512  # MiB of the store's folder
SCHEDULED = ("hourly", "nightly")
CRON = "* * * * *"
LEAVING = 10.0  # seconds in which the helpers of a killed process must have noticed


class Clock:
    """The clock of the schedules: fast, and standing still from `until` on."""

    def __init__(self, began: float, until: float) -> None:
        self.began, self.until = began, until

    def __call__(self) -> float:
        now = min(fault_points.true_time(), self.until)
        return NOON + max(0.0, now - self.began) * SPEED


def serve(environ: dict[str, str], folder: str, clock: Clock) -> None:
    """The body of a daemon."""
    os.setsid()
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(folder)
    output = os.open("daemons", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    fault_points.skew_clock()
    while True:
        try:
            schedule.serve(resolve_store(), poll=0.2, clock=clock)
            return
        except RunError as error:  # a service manager starts it again
            sys.stderr.write(f"daemon: {error}\n")


@dataclass
class TriedAgain(FaultStudy):
    """A study that gives up no trial whose worker is killed again and again: that is no fault of a trial."""

    def write(self) -> None:
        super().write()
        with self.file.open("a") as file:
            file.write("retry: {lost: 100}\n")


@dataclass
class Kills:
    """Kills of the process of one firing in a row: since its campaign had `ended` more trials."""

    ended: int = 0
    count: int = 0

    def may_go_on(self, ended: int) -> bool:
        """Whether one more is no reason to give the firing up."""
        self.count = self.count if ended == self.ended else 0
        self.ended = ended
        return self.count < MAX_KILLS - 1


@dataclass
class Driver:
    """Runs one study after the other, each until it is complete, whatever ends its process."""

    world: World
    executor: str
    studies: list[FaultStudy] = field(default_factory=list)
    process: Any = None

    def step(self, going_on: bool) -> None:
        """Start what is due: the same study again, or a new one."""
        if self.process is not None and self.process.exitcode is None:
            return
        if self.process is not None and self.process.exitcode == 0:
            self.process = None
            if not going_on:
                return
        if self.process is None:
            if not going_on:
                return
            self.studies.append(self.world.study(f"{self.executor}{len(self.studies)}", self.executor))
        self.process = self.studies[-1].start("run", str(self.studies[-1].file), "--progress", "log")

    @property
    def pid(self) -> int | None:
        return None if self.process is None or self.process.exitcode is not None else self.process.pid


@dataclass
class World:
    """All that runs on one store. `killed`: what was done to whom, by name."""

    folder: Path
    store: Store
    environ: dict[str, str]
    rng: random.Random
    clock: Clock
    server: PostgresServer | None
    link: Link | None
    drivers: list[Driver] = field(default_factory=list)
    daemons: list[Any] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    kills: defaultdict[str, Kills] = field(default_factory=lambda: defaultdict(Kills))  # by firing

    def study(self, name: str, executor: str) -> FaultStudy:
        return TriedAgain(
            self.folder / name, self.store, executor, name, trials=4, slack=STARVED, extra=self.environ
        )

    def start_daemon(self) -> Any:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        process = context.Process(target=serve, args=(self.environ, str(self.folder), self.clock))
        process.start()
        return process

    def register(self, name: str) -> None:
        """Let the daemons run a study at each slot."""
        with Ledger(self.store) as ledger:
            file = str(self.study(name, "local").file)
            ledger.put_schedule(ScheduleRow(name, file, CRON, "UTC", 1e9, False, NOON, NOON))

    def rows(self, text: str) -> list[Any]:
        """Rows of the ledger."""
        return query(self.store.url, text)

    # --- what it does ------------------------------------------------------------------------------

    def kill_daemon(self) -> None:
        place = self.rng.randrange(len(self.daemons))
        self.daemons[place].kill()
        self.daemons[place].join()
        self.daemons[place] = self.start_daemon()

    def kill_driver(self) -> None:
        self._signal([driver.pid for driver in self.drivers], signal.SIGKILL)

    def interrupt_driver(self) -> None:
        number = self.rng.choice([signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
        self._signal([driver.pid for driver in self.drivers], number)

    def kill_scheduled(self) -> None:
        found = [
            (pid, command.split()) for pid, command in processes_of(self.folder) if "--firing" in command
        ]
        if not found:
            raise LookupError
        pid, words = self.rng.choice(found)
        firing = words[words.index("--firing") + 1]
        kills = self.kills[firing]
        if not kills.may_go_on(self._ended_trials(firing)):
            raise LookupError
        kills.count += 1
        self._signal([pid], signal.SIGKILL)

    def _ended_trials(self, firing: str) -> int:
        ended = (
            "SELECT COUNT(*) AS number FROM trials t JOIN searches s ON t.search = s.id "
            "JOIN firings f ON f.campaign = s.campaign WHERE t.state <> 'running' AND f.id = "
        )
        return int(self.rows(f"{ended}{int(firing)}")[0].number)

    def kill_worker(self) -> None:
        self._signal(self._below("automl.executors.child", "default_worker", "ray::"), signal.SIGKILL)

    def kill_ray(self) -> None:
        self._signal(self._below("raylet/raylet", "gcs/gcs_server"), signal.SIGKILL)

    def freeze(self) -> None:
        pids = [driver.pid for driver in self.drivers] + [daemon.pid for daemon in self.daemons]
        pid = self.rng.choice([pid for pid in pids if pid is not None])
        seconds = self.rng.uniform(0.2, 3.0)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            time.sleep(seconds)
            os.kill(pid, signal.SIGCONT)

    def kill_server(self) -> None:
        if self.server is not None:
            self.server.kill()
            time.sleep(self.rng.uniform(0.1, 2.0))
            self.server.start()

    def cut_network(self) -> None:
        if self.link is not None:
            self.link.cut()
            time.sleep(self.rng.uniform(0.1, 2.0))
            self.link.mend()

    def hold_network(self) -> None:
        if self.link is not None:
            self.link.hold()
            time.sleep(self.rng.uniform(0.1, 2.0))
            self.link.mend()

    def step_clock(self) -> None:
        offset = self.rng.choice([0.0, 3600.0, -3600.0, 5.0, -5.0, 86400.0])
        Path(self.environ[fault_points.CLOCK]).write_text(str(offset))

    def fill_disk(self) -> None:
        filler = self.store.folder / "filler"
        with suppress(OSError), filler.open("wb") as file:
            while True:
                file.write(bytes(1 << 20))
        time.sleep(self.rng.uniform(0.1, 1.0))
        filler.unlink()

    def _signal(self, pids: list[int | None], number: signal.Signals) -> None:
        alive = [pid for pid in pids if pid is not None]
        if not alive:
            raise LookupError
        with suppress(ProcessLookupError):
            os.kill(self.rng.choice(alive), number)

    def _below(self, *words: str) -> list[int | None]:
        """The processes that were started by ours, by their command lines."""
        return [pid for pid, command in processes_of(self.folder) if any(word in command for word in words)]


# --- the course of it --------------------------------------------------------------------------------


@contextmanager
def world(seconds: float, seed: int, folder: Path, *, postgres: bool, ray: bool) -> Iterator[World]:
    """Everything, started; stopped after the block."""
    with ExitStack() as stack:
        server = link = None
        environ = {"MLFLOW_DISABLE_TELEMETRY": "true", fault_points.CLOCK: str(folder / "clock")}
        (folder / "clock").write_text("0")
        disk = folder / "disk"
        disk.mkdir()
        if small_disk(disk):
            stack.callback(subprocess.run, ["umount", "-l", str(disk)], check=False)
        environ["AUTOML_STORE"] = str(disk / "store")
        if postgres:
            server = stack.enter_context(PostgresServer(durable=True))
            link = Link(int(server.url.rpartition(":")[2].partition("/")[0]))
            stack.callback(link.close)
            environ["AUTOML_STORE"] = f"postgresql://automl:secret-word@127.0.0.1:{link.port}/postgres"
            environ["AUTOML_FOLDER"] = str(disk / "store")
        store = resolve_store(environ)
        store.folder.mkdir()
        prepare(store)
        began = time.time()
        made = World(
            folder,
            store,
            environ,
            random.Random(seed),
            Clock(began, began + seconds),
            server,
            link,
        )
        made.drivers = [Driver(made, kind) for kind in ("isolated", "ray" if ray else "local")]
        for name in SCHEDULED:
            made.register(name)
        made.environ = made.study("shared", "local").environment
        made.daemons = [made.start_daemon() for _ in range(4)]
        try:
            yield made
        finally:
            for process in [*made.daemons, *(driver.process for driver in made.drivers)]:
                if process is not None and process.is_alive():
                    process.kill()
            for pid, _ in processes_of(folder):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def small_disk(folder: Path) -> bool:
    """Whether `folder` could be made a disk of its own that is soon full."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}m", "tmpfs", str(folder)]
    return subprocess.run(mount, capture_output=True, check=False).returncode == 0


def trouble(world: World, seconds: float) -> None:
    """Do one thing after the other to random victims."""
    kinds: list[Callable[[], None]] = [world.kill_daemon, world.kill_driver, world.kill_scheduled]
    kinds += [world.interrupt_driver, world.kill_worker, world.freeze, world.step_clock]
    kinds += [world.kill_ray] if any(driver.executor == "ray" for driver in world.drivers) else []
    kinds += [world.kill_server, world.cut_network, world.hold_network] if world.server else []
    kinds += [world.fill_disk] if os.path.ismount(world.store.folder.parent) else []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for driver in world.drivers:
            driver.step(True)
        time.sleep(world.rng.uniform(0.05, 1.0))
        kind = world.rng.choice(kinds)
        with suppress(LookupError):
            kind()
            world.done[kind.__name__] += 1


def heal(world: World) -> None:
    """Let everything come to its end, undisturbed."""
    Path(world.environ[fault_points.CLOCK]).write_text("0")
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        for driver in world.drivers:
            driver.step(False)
        for place, daemon in enumerate(world.daemons):
            if not daemon.is_alive():
                world.daemons[place] = world.start_daemon()
        waiting = world.rows("SELECT state FROM firings WHERE state IN ('ready', 'running')")
        if not waiting and all(driver.process is None for driver in world.drivers):
            break
        time.sleep(0.1)
    for daemon in world.daemons:
        daemon.terminate()
        daemon.join(PATIENCE)


def verdict(world: World) -> list[str]:
    """All that is wrong."""
    found = []
    for driver in world.drivers:
        for study in driver.studies:
            found += [f"{study.name}: {fault}" for fault in faults_of(study)]
    campaigns: Counter[str] = Counter()
    for row in world.rows(
        "SELECT study, slot, state, campaign, reason FROM firings WHERE state <> 'skipped'"
    ):
        campaigns[row.campaign or ""] += 1
        if row.state != "done":
            found.append(f"the firing {row.study} {row.slot} is {row.state}: {row.reason}")
    if max(campaigns.values(), default=0) > 1 or "" in campaigns:
        found.append(f"firings without a campaign of their own: {campaigns}")
    for name in SCHEDULED:
        study = world.study(name, "local")
        for row in world.rows(f"SELECT id, number FROM campaigns WHERE study = '{name}'"):
            found += [f"{row.id}: {fault}" for fault in faults_of_campaign(study, row.number)]
            if not campaigns[row.id]:
                found.append(f"{row.id} belongs to no firing")
    end = time.monotonic() + LEAVING
    while (left := list(processes_of(world.folder))) and time.monotonic() < end:
        time.sleep(0.1)
    return [*found, *(f"left: {pid} {command}" for pid, command in left)]


def main(minutes: float, seed: int, *, postgres: bool = True, ray: bool = True) -> list[str]:
    """Run it; prints figures, and returns what is wrong."""
    folder = Path(tempfile.mkdtemp(prefix="nemesis-"))
    postgres = postgres and server_programs() is not None
    with world(60 * minutes, seed, folder, postgres=postgres, ray=ray) as made:
        trouble(made, 60 * minutes)
        began = time.monotonic()
        heal(made)
        found = verdict(made)
        trials = made.rows("SELECT state, COUNT(*) AS number FROM trials GROUP BY state")
        firings = made.rows("SELECT state, COUNT(*) AS number FROM firings GROUP BY state")
        figures = {
            "seed": seed,
            "faults": sum(made.done.values()),
            "of": dict(made.done),
            "trials": {row.state: row.number for row in trials},
            "firings": {row.state: row.number for row in firings},
            "campaigns": made.rows("SELECT COUNT(*) AS number FROM campaigns")[0].number,
            "healed_after_s": round(time.monotonic() - began, 1),
            "wrong": len(found),
        }
    sys.stdout.write(json.dumps(figures, indent=1) + "\n" + "\n".join(found) + "\n")
    if not found:
        shutil.rmtree(folder)
    return found


if __name__ == "__main__":
    sys.exit(bool(main(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else int(time.time()))))
