"""Runs the firings that are due: once (`tick`), or until a signal (`serve`)."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from automl.ledger import FiringRow, Store, ends_with_terminal
from automl.private import private
from automl.schedule.daemon import Clock, Daemon, Launch, launch_run
from automl.schedule.slots import slots_between
from automl.schedule.telling import tell_of_last
from automl.storage import open_ledger

POLL: Final = 1.0  # seconds


@private()
def tick(store: Store, run: Launch = launch_run, *, now: float | None = None) -> list[FiringRow]:
    """Run all due firings, one after the other, and return them as they ended. For cron or a systemd timer.

    `now`: POSIX seconds; None takes the clock of the store.
    """
    with open_ledger(store) as ledger:
        daemon = Daemon(ledger, store, run, lambda: now)
        tell_of_last(ledger)
        daemon.plan(slots_between)
        with _until_signalled() as stop:
            while not stop.is_set() and (daemon.active or daemon.claim()):
                daemon.watch()
                stop.wait(POLL / 10)
            daemon.close()
        return [firing for firing in ledger.firings() if firing.id in daemon.ended]


@private()
def serve(
    store: Store,
    run: Launch = launch_run,
    *,
    at_once: int = 1,
    poll: float = POLL,
    clock: Clock = lambda: None,
    tell: Callable[[str], None] = lambda text: None,
) -> None:
    """Run due firings, at most `at_once` campaigns at a time, until SIGTERM or Ctrl-C.

    The signal asks running campaigns to stop; the next daemon continues them. `clock` gives POSIX
    seconds, or None for the clock of the store. `tell` takes a line about each firing that has ended.
    """
    with open_ledger(store) as ledger, _until_signalled() as stop:
        daemon = Daemon(ledger, store, run, clock, tell=tell)
        try:
            tell_of_last(ledger)
            while not stop.is_set():
                daemon.plan(slots_between)
                while len(daemon.active) < at_once and daemon.claim():
                    pass
                daemon.watch()
                stop.wait(poll)
        finally:
            daemon.close()


@contextmanager
def _until_signalled() -> Iterator[threading.Event]:
    """An event that SIGTERM, Ctrl-C and a closed terminal set, instead of their earlier effect."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    numbers = [signal.SIGTERM, signal.SIGINT, *([signal.SIGHUP] if ends_with_terminal() else [])]
    before = {number: signal.signal(number, on_signal) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
