"""What the ledger has acknowledged stays, whatever is killed, locked or full."""

from __future__ import annotations

import ctypes
import json
import multiprocessing
import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from postgres_server import PostgresServer

from automl.contracts import Outcome, Report, RunError, TrialState
from automl.ledger import Ledger, NewTrial, Store, resolve_store
from automl.ledger.database import Database
from automl.storage import prepare

WRITER = """
import sys, json
from automl.contracts import Outcome, Report, TrialState
from automl.ledger import Ledger, NewTrial, resolve_store
ledger = Ledger(resolve_store())
search, first = sys.argv[1], int(sys.argv[2])
for number in range(first, first + 100000):
    row = ledger.start_trial(search, NewTrial("trial", number, {"x": number}, 1, 0, None))
    print(json.dumps([number, "start"]), flush=True)
    for step in range(3):
        assert ledger.report(row.id, row.token, Report(step, step / 7, 0.1))
        print(json.dumps([number, step]), flush=True)
    outcome = Outcome(TrialState.COMPLETE, 0.5, [number / 3])
    assert ledger.finish_trial(row.id, row.token, outcome, told=number, attributes={})
    print(json.dumps([number, "finish"]), flush=True)
"""


def new_search(ledger: Ledger) -> str:
    campaign = ledger.create_campaign("a", {}, "d", {})
    return ledger.add_search(campaign.id, "random", 0).id


def one_trial(ledger: Ledger, search: str, number: int) -> None:
    row = ledger.start_trial(
        search, NewTrial("trial", number, {"x": number}, seed=1, asked_after=0, workdir=None)
    )
    assert ledger.report(row.id, row.token, Report(1, 0.5, 0.1))
    assert ledger.finish_trial(row.id, row.token, done(number), told=number, attributes={})


def done(number: int) -> Outcome:
    return Outcome(TrialState.COMPLETE, 0.5, [number / 3])


def check_acknowledged(ledger: Ledger, search: str, lines: list[str]) -> int:
    """Everything a killed writer said it had written is there; returns how many events."""
    trials = {trial.number: trial for trial in ledger.trials(search=search)}
    reports = ledger.reports(search=search)
    events = [json.loads(line) for line in lines if line.endswith("]\n")]
    for number, event in events:
        trial = trials[number]
        if event == "finish":
            assert (trial.state, trial.values) == (TrialState.COMPLETE, [number / 3])
        elif event != "start":
            assert event in {report.step for report in reports[trial.id]}
    return len(events)


@pytest.mark.slow
def test_a_killed_writer_loses_no_acknowledged_write(store: Store, ledger: Ledger) -> None:
    search = new_search(ledger)
    rng = random.Random(0)
    for first in range(0, 500_000, 100_000):
        command = [sys.executable, "-c", WRITER, search, str(first)]
        process = subprocess.Popen(command, cwd=store.folder.parent, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        lines = [process.stdout.readline()]
        killer = threading.Timer(rng.uniform(0.1, 0.8), process.kill)
        killer.start()
        lines += process.stdout.readlines()
        process.stdout.close()
        process.wait()
        assert check_acknowledged(ledger, search, lines) > 1
        with sqlite3.connect(store.folder / "ledger.db") as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()


def _write(store: Store, search: str, first: int, barrier: Any) -> None:
    with Ledger(store) as ledger:
        barrier.wait()
        for number in range(first, first + 20):
            one_trial(ledger, search, number)


@pytest.mark.slow
def test_processes_write_side_by_side(any_store: Store, any_ledger: Ledger) -> None:
    search = new_search(any_ledger)
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(4)
    arguments = [(any_store, search, 20 * worker, barrier) for worker in range(4)]
    processes = [context.Process(target=_write, args=one) for one in arguments]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    trials = any_ledger.trials(search=search)
    assert [trial.number for trial in trials] == list(range(80))
    assert {trial.state for trial in trials} == {TrialState.COMPLETE}


def hold_lock(store: Store, seconds: float) -> subprocess.Popen[str]:
    code = "import sqlite3, sys, time; c = sqlite3.connect(sys.argv[1], isolation_level=None); "
    code += "c.execute('BEGIN EXCLUSIVE'); print('held', flush=True); time.sleep(float(sys.argv[2]))"
    command = [sys.executable, "-c", code, str(store.folder / "ledger.db"), str(seconds)]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    holder.stdout.close()
    return holder


@pytest.mark.slow
def test_a_lock_held_elsewhere_is_waited_out(store: Store, ledger: Ledger) -> None:
    search = new_search(ledger)
    holder = hold_lock(store, 10)
    one_trial(ledger, search, 0)
    holder.wait()
    assert ledger.trials()[0].state == TrialState.COMPLETE


def test_a_lock_that_stays_is_reported(store: Store, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automl.ledger.database.PATIENCE", 0.2)
    with Ledger(store) as impatient:
        impatient._db.close()
        impatient._db = Database(store.url, patience=0.2)
        holder = hold_lock(store, 60)
        try:
            with pytest.raises(RunError, match="database is locked; everything it had acknowledged is safe"):
                impatient.create_campaign("a", {}, "d", {})
        finally:
            holder.kill()
            holder.wait()
        assert impatient.create_campaign("a", {}, "d", {}).id == "a-1"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    library = ctypes.CDLL(None, use_errno=True)
    if library.mount(b"tmpfs", str(folder).encode(), b"tmpfs", 0, b"size=3m") != 0:
        pytest.skip(f"cannot mount a small disk here: {os.strerror(ctypes.get_errno())}")
    yield folder
    library.umount2(str(folder).encode(), 2)


def test_a_full_disk_is_told_and_loses_nothing(small_disk: Path, store: Store) -> None:
    (small_disk / "ledger.db").write_bytes((store.folder / "ledger.db").read_bytes())
    small = Store(f"sqlite:///{small_disk}/ledger.db", store.tracking_uri, store.artifacts, small_disk)
    with Ledger(small) as ledger:
        search = new_search(ledger)
        one_trial(ledger, search, 0)
        ballast = small_disk / "ballast"
        ballast.write_bytes(b"0" * os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize)
        acknowledged = 1
        with pytest.raises(RunError, match="full"):
            while acknowledged < 10_000:
                one_trial(ledger, search, acknowledged)
                acknowledged += 1
        ballast.unlink()
        kept = [trial for trial in ledger.trials() if trial.state == TrialState.COMPLETE]
        assert len(kept) == acknowledged
        one_trial(ledger, search, 20_000)
    with sqlite3.connect(small_disk / "ledger.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


class LostAnswer(Database):
    """A database whose next commit succeeds although its client sees the connection break."""

    lose = False

    def write(self, work: Any, *, synced: bool = True) -> Any:
        if not self.lose:
            return super().write(work, synced=synced)
        self.lose = False
        super().write(work, synced=synced)  # committed, unheard
        return super().write(work, synced=synced)


def test_a_commit_whose_answer_was_lost_happens_once(any_store: Store, any_ledger: Ledger) -> None:
    database = LostAnswer(any_store.url)
    any_ledger._db.close()
    any_ledger._db = database

    def lossy(call: Any) -> Any:
        database.lose = True
        return call()

    campaign = lossy(lambda: any_ledger.create_campaign("a", {}, "d", {}))
    assert [row.id for row in any_ledger.campaigns()] == [campaign.id] == ["a-1"]
    search = lossy(lambda: any_ledger.add_search("a-1", "tpe", 0)).id
    row = lossy(
        lambda: any_ledger.start_trial(search, NewTrial("trial", 0, {}, seed=1, asked_after=0, workdir=None))
    )
    row = lossy(lambda: any_ledger.restart_trial(row.id, row.token, 1.0))
    assert row.attempt == 2
    assert lossy(lambda: any_ledger.report(row.id, row.token, Report(1, 0.5, 0.1)))
    assert lossy(lambda: any_ledger.finish_trial(row.id, row.token, done(3), told=0, attributes={}))
    (kept,) = any_ledger.trials()
    assert (kept.attempt, kept.device_seconds, kept.values) == (2, 1.5, [1.0])
    assert lossy(lambda: any_ledger.finish_search(search, "budget", row.id))
    opening = lossy(lambda: any_ledger.open_test(search, "winner"))
    assert lossy(lambda: any_ledger.close_test(opening.id, [0.5]))
    assert len(any_ledger.openings("a-1")) == 1


@pytest.mark.slow
@pytest.mark.postgres
def test_a_killed_server_loses_no_acknowledged_write(
    crashable_postgres: PostgresServer, tmp_path: Path
) -> None:
    """SIGKILL of PostgreSQL, three times, while four threads write: they wait, go on, and lose nothing."""
    store = resolve_store({"AUTOML_STORE": crashable_postgres.url}, tmp_path)
    prepare(store)
    stop, written, failures = threading.Event(), [0] * 4, []
    with Ledger(store) as ledger:
        search = new_search(ledger)

        def work(worker: int) -> None:
            try:
                while not stop.is_set():
                    one_trial(ledger, search, 100_000 * worker + written[worker])
                    written[worker] += 1
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(3):
            before = list(written)
            wait_until(lambda before=before: all(a > b + 5 for a, b in zip(written, before, strict=True)))
            crashable_postgres.kill()
            time.sleep(0.5)
            crashable_postgres.start()
        before = list(written)
        wait_until(lambda: all(a > b + 5 for a, b in zip(written, before, strict=True)))
        stop.set()
        for thread in threads:
            thread.join()
        assert failures == []
        trials = ledger.trials()
        expected = [100_000 * worker + number for worker in range(4) for number in range(written[worker])]
        assert [trial.number for trial in trials] == expected
        assert {trial.state for trial in trials} == {TrialState.COMPLETE}
        assert {trial.device_seconds for trial in trials} == {0.5}
        assert all(trial.values == [trial.number / 3] for trial in trials)


def wait_until(check: Any, seconds: float = 200) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "nothing was written for minutes"
        time.sleep(0.02)
