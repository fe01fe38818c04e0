"""Kills at every named moment of a campaign: nothing is lost, run twice, stuck or changed."""

from __future__ import annotations

import json
import os
import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from fault_points import HOLD, Fault
from fault_study import (
    FaultStudy,
    GrownScoredStudy,
    GrownStudy,
    GrownTransferredStudy,
    ReplayedStudy,
    ScoredStudy,
    TransferredStudy,
)
from invariants import error_of_ledger, faults_of, history, is_over
from patience import PATIENCE
from postgres_server import PostgresServer

from automl.ledger import Store, resolve_store
from automl.storage import prepare

FIGURES = os.environ.get("AUTOML_TEST_FIGURES")  # a file for what was measured


Moment = tuple[str, str]  # the role of its process, and which


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder in which Ray can make its sockets."""
    with tempfile.TemporaryDirectory(prefix="f") as folder:
        yield Path(folder)


class Matrix:
    """The faults of one kind of study on one store: campaign after campaign, until each has happened."""

    def __init__(
        self, folder: Path, store: Store, kind: type[FaultStudy] = FaultStudy, executor: str = "local"
    ):
        self.folder, self.store, self.kind, self.executor = folder, store, kind, executor
        self.hit: list[str] = []
        self.errors: list[float] = []
        self._numbers = count(1)
        self._log = folder / "moments"
        folder.mkdir()

    def study(self) -> FaultStudy:
        """The next one."""
        number = next(self._numbers)
        return self.kind(self.folder / str(number), self.store, self.executor, f"faulty{number}")

    def moments(self) -> Counter[Moment]:
        """How often each moment has come so far, in the order of their first time."""
        lines = self._log.read_text().splitlines()
        return Counter((role, moment) for role, moment in (line.split(" ", 1) for line in lines) if role)

    def undisturbed(self) -> Counter[Moment]:
        """How often each moment comes when nothing is killed."""
        study = self.study()
        assert study.run(Fault(log=str(self._log))) == 0, study.output.read_text()[-2000:]
        assert faults_of(study) == []
        self.history = history(study)
        return self.moments()

    def run(self, faults: Iterable[Fault], first: Fault | None = None) -> None:
        """Let each fault happen once, as many as possible to one campaign, one after the other.

        `first`: a fault that each campaign begins with.
        """
        waiting = [replace(fault, log=str(self._log)) for fault in faults]
        while waiting:
            study, before = self.study(), len(waiting)
            if first is not None:
                study.run(first)
            for fault in waiting.copy():
                status = study.run(fault)
                if study.happened:
                    waiting.remove(fault)
                if status == 0:
                    break
                assert study.happened, study.output.read_text()[-2000:]
            else:
                assert study.run() == 0, study.output.read_text()[-2000:]
            wrong = faults_of(study)
            assert not wrong, "\n".join([*wrong, *study.hit])
            assert self.executor == "ray" or history(study) == self.history, study.hit
            if len(waiting) == before:  # some come more or less often
                assert waiting[0].nth > 1, f"never came: {waiting[0]}"
                waiting = [replace(fault, nth=max(1, fault.nth - 1)) for fault in waiting]
            self.hit += study.hit
            self.errors += [error_of_ledger(study)] if study.noted else []

    def every(self, signal: str = "SIGKILL", role: str = "driver") -> None:
        """Let a fault happen the first and the last time that each moment comes.

        Those included that only faults bring, but once.
        """
        times = self.undisturbed()
        done: set[Moment] = set()
        first = None
        while new := [one for one in self.moments() if one[0] == role and one not in done]:
            self.run([Fault(role, moment, 1, signal) for role, moment in new], first)
            done.update(new)
            first = Fault(role, f"trial.begin:{self.kind.kind}")
        last = [(moment, times[who, moment]) for who, moment in done if who == role]
        self.run([Fault(role, moment, number, signal) for moment, number in last if number > 1])

    def sometimes(self, signals: Sequence[str], rng: random.Random) -> None:
        """Let a fault happen at each moment, some time that it comes; workers are killed."""
        times = self.undisturbed()
        self.run(
            Fault(
                role, moment, rng.randint(1, number), "SIGKILL" if role == "worker" else rng.choice(signals)
            )
            for (role, moment), number in times.items()
        )

    def tell(self) -> None:
        """Write the figures where they were asked for."""
        if FIGURES:
            names = {
                "store": self.store.url.split(":")[0],
                "study": self.kind.__name__,
                "executor": self.executor,
            }
            figures = {"kills": len(self.hit), "moments": len({hit.split("#")[0] for hit in self.hit})}
            with Path(FIGURES).open("a") as file:
                file.write(json.dumps({**names, **figures, "errors": self.errors, "hit": self.hit}) + "\n")


@pytest.mark.slow
def test_the_driver_is_killed_now_and_then(store: Store, tmp_path: Path) -> None:
    matrix = Matrix(tmp_path / "studies", store)
    rng = random.Random(4)
    times = matrix.undisturbed()
    chosen = rng.sample(sorted(times), 12)
    matrix.run([Fault(role, moment, rng.randint(1, times[role, moment])) for role, moment in chosen])
    matrix.tell()


@pytest.mark.faults
@pytest.mark.parametrize(
    "kind",
    [
        FaultStudy,
        ScoredStudy,
        ReplayedStudy,
        GrownStudy,
        GrownScoredStudy,
        TransferredStudy,
        GrownTransferredStudy,
    ],
)
def test_the_driver_is_killed_at_every_moment(
    kind: type[FaultStudy], any_store: Store, tmp_path: Path
) -> None:
    matrix = Matrix(tmp_path / "studies", any_store, kind)
    matrix.every()
    matrix.tell()


@pytest.mark.faults
@pytest.mark.parametrize("executor", ["local", "isolated", pytest.param("ray", marks=pytest.mark.ray)])
def test_drivers_and_workers_are_ended_at_some_time_of_every_moment(
    executor: str, any_store: Store, short_path: Path
) -> None:
    matrix = Matrix(short_path / "studies", any_store, FaultStudy, executor)
    matrix.sometimes(["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"], random.Random(5))
    matrix.tell()


@pytest.mark.faults
@pytest.mark.postgres
def test_the_database_dies_at_every_moment(crashable_postgres: PostgresServer, tmp_path: Path) -> None:
    store = resolve_store({"AUTOML_STORE": crashable_postgres.url}, tmp_path)
    store.folder.mkdir()
    prepare(store)
    matrix = Matrix(tmp_path / "studies", store)
    for role, moment in matrix.undisturbed():
        study = matrix.study()
        mark = study.folder / "mark-1"

        thread = threading.Thread(target=_kill_and_start, args=(crashable_postgres, mark))
        thread.start()
        assert study.run(Fault(role, moment, 1, HOLD, str(mark))) == 0, study.output.read_text()[-2000:]
        thread.join()
        assert study.happened
        study.noted = not moment.startswith("trial.")  # a trial that is held itself pays for that
        wrong = faults_of(study)
        assert not wrong, "\n".join([*wrong, moment])
        matrix.hit += study.hit
    matrix.tell()


@pytest.mark.faults
@pytest.mark.parametrize("executor", ["local", "isolated", pytest.param("ray", marks=pytest.mark.ray)])
def test_forty_trials_pay_what_was_executed_to_one_report(
    executor: str, store: Store, short_path: Path
) -> None:
    study = FaultStudy(short_path / "study", store, executor, trials=20, seconds=0.4)
    rng, kills = random.Random(6), 0
    while not is_over(study):
        before = sum(sum(trial.used.values()) for trial in study.executed().values())
        process = study.start("run", str(study.file))
        while process.exitcode is None and before == sum(
            sum(trial.used.values()) for trial in study.executed().values()
        ):
            time.sleep(0.05)
        process.join(rng.uniform(0.1, 8.0))
        if process.exitcode is None:
            process.kill()
            process.join()
            kills += 1
    wrong = faults_of(study)
    assert not wrong, wrong
    error = error_of_ledger(study)
    print(f"{executor}: {kills} kills, {error:+.3f} device-seconds")  # noqa: T201
    assert kills >= 5
    assert abs(error) <= study.seconds


def _kill_and_start(server: PostgresServer, mark: Path) -> None:
    """Let a server die and come back while a process waits at a moment."""
    end = time.monotonic() + PATIENCE
    while not mark.exists() and time.monotonic() < end:
        time.sleep(0.005)
    server.kill()
    server.start()
    Path(f"{mark}.go").touch()
