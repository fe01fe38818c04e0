"""Ctrl-C in the midst of a transaction: it ends first, and its lock with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from patience import PATIENCE

from automl.ledger import interrupts
from automl.ledger.database import Database
from automl.ledger.interrupts import as_interrupts, whole

TABLE = sa.Table("seen", sa.MetaData(), sa.Column("number", sa.Integer))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_transaction_ends_before_the_interrupt(
    tmp_path: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interrupts, "AGAIN", 60.0)
    db, other = (Database(f"sqlite:///{tmp_path / 'some.db'}", patience=0.5) for _ in range(2))
    db.write(lambda connection: TABLE.create(connection))
    went_on = []

    def work(connection: sa.Connection) -> None:
        connection.execute(sa.insert(TABLE), [{"number": 1}, {"number": 2}])
        open_cursor = connection.execute(sa.select(TABLE))
        os.kill(os.getpid(), number)
        went_on.append(open_cursor.fetchone())

    with as_interrupts():
        with pytest.raises(KeyboardInterrupt):
            db.write(work)
        assert went_on == [(1,)]
        found = other.write(lambda connection: connection.execute(sa.select(TABLE)).all())
        assert found == [(1,), (2,)]
        with pytest.raises(KeyboardInterrupt):  # at once where there is none
            os.kill(os.getpid(), number)
    db.close()
    other.close()


def test_handlers_are_put_back_and_an_ignored_ctrl_c_stays_so() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with as_interrupts():
        assert signal.getsignal(signal.SIGINT) is not before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with as_interrupts():
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before[0])


def test_other_threads_hold_nothing_back() -> None:
    inside, done = threading.Event(), threading.Event()

    def work() -> None:
        with as_interrupts(), whole():
            inside.set()
            done.wait()

    thread = threading.Thread(target=work)
    thread.start()
    inside.wait()
    try:
        with as_interrupts(), pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("inside", [False, True])
def test_a_second_interrupt_ends_the_process_at_once(inside: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also inside a transaction; the same one that arrives twice does not."""

    class LeftError(Exception):
        pass

    def leave(code: int) -> None:
        raise LeftError(code)

    now = [100.0]
    monkeypatch.setattr(interrupts, "_leave", leave)
    monkeypatch.setattr(interrupts, "time", SimpleNamespace(monotonic=lambda: now[0]))
    with as_interrupts():
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
        now[0] += interrupts.AGAIN / 2
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGHUP)
        now[0] += interrupts.AGAIN
        with pytest.raises(LeftError, match="130"), whole() if inside else nullcontext():
            os.kill(os.getpid(), signal.SIGTERM)
    with as_interrupts(), pytest.raises(KeyboardInterrupt):  # another campaign of the same process
        os.kill(os.getpid(), signal.SIGTERM)


def test_under_nohup_a_closed_terminal_is_nothing() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with as_interrupts():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


DROPPED = """
import os, signal, sys, time
HOW = sys.argv[1]
if HOW == "fork":  # before those of the package, so that it runs between them, as logging's does
    os.register_at_fork(after_in_parent=lambda: os.kill(os.getpid(), signal.SIGTERM))
from automl.ledger.interrupts import as_interrupts

class Dies:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0)

with as_interrupts():
    try:
        if HOW == "fork":
            if os.fork() == 0:
                os._exit(0)
        else:
            Dies()
        time.sleep(60)
        print("lost")
    except KeyboardInterrupt:
        print("interrupted")
"""


@pytest.mark.parametrize("how", ["fork", "del"])
def test_one_where_exceptions_are_dropped_is_sent_again(how: str) -> None:
    words = [sys.executable, "-c", DROPPED, how]
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("interrupted\n", "", 0)
