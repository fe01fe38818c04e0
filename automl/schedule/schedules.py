"""Adding, pausing and looking at schedules, the slots they plan, and running what is due."""

from __future__ import annotations

import signal
import threading
import zoneinfo
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Final

from cronsim import CronSim

from automl.config import Study
from automl.config.checks import cron_mistake
from automl.contracts import UserError
from automl.ledger import FiringRow, Ledger, ScheduleRow, Store
from automl.plugins import unknown
from automl.schedule.daemon import Clock, Daemon, Launch, launch_run
from automl.storage import open_ledger

POLL: Final = 1.0  # seconds


def add(ledger: Ledger, study: Study, file: Path) -> ScheduleRow:
    """Run the study of `file` by its schedule from now on, in place of an earlier schedule of it."""
    if study.schedule is None:
        raise UserError(
            f"{file}: a study that is to run again needs `schedule: {{cron: …}}`, but has none; "
            'add it, or give --cron "0 2 * * *"'
        )
    cron, timezone = study.schedule.cron, study.schedule.timezone
    mistake = cron_mistake(cron)
    if mistake:
        raise UserError(f"{file}: schedule.cron {mistake}")
    _zone(timezone)
    now = ledger.now()
    row = ScheduleRow(
        study=study.name,
        file=str(file.resolve()),
        cron=cron,
        timezone=timezone,
        catchup=float(study.schedule.catchup),
        paused=False,
        planned_until=now,
        created_at=now,
    )
    ledger.put_schedule(row)
    return row


def remove(ledger: Ledger, study: str) -> None:
    """Forget the schedule of a study; a campaign that runs goes on."""
    if not ledger.remove_schedule(study):
        raise UserError(_no_schedule(ledger, study))


def pause(ledger: Ledger, study: str) -> None:
    """Start nothing of a study until it is resumed."""
    if not ledger.pause_schedule(study, True):
        raise UserError(_no_schedule(ledger, study))


def resume(ledger: Ledger, study: str) -> None:
    """Start again from the next slot on; those of the pause are not made up for."""
    if not ledger.pause_schedule(study, False):
        raise UserError(_no_schedule(ledger, study))


def list_schedules(ledger: Ledger) -> list[ScheduleRow]:
    """All schedules, by study."""
    return ledger.schedules()


def next_slot(schedule: ScheduleRow, after: float) -> datetime:
    """The first slot after a POSIX time, in the schedule's zone."""
    zone = _zone(schedule.timezone)
    moments = CronSim(schedule.cron, datetime.fromtimestamp(after, zone))
    return next(moment for moment in moments if moment.timestamp() > after)


def slots_between(schedule: ScheduleRow, start: float, end: float) -> Iterator[float]:
    """Slots after `start`, up to and with `end`, in POSIX seconds."""
    zone = _zone(schedule.timezone)
    for moment in CronSim(schedule.cron, datetime.fromtimestamp(start, zone)):
        slot = moment.timestamp()
        if slot > end:
            return
        if slot > start:  # in a repeated hour cron arithmetic may step back to the first of the two
            yield slot


def tick(store: Store, run: Launch = launch_run, *, now: float | None = None) -> list[FiringRow]:
    """Run all that is due, one after the other, and return it as it ended. For cron or a systemd timer.

    `now`: POSIX seconds; None takes the clock of the store.
    """
    with open_ledger(store) as ledger:
        daemon = Daemon(ledger, store, run, lambda: now)
        daemon.plan(slots_between)
        with _until_signalled() as stop:
            while not stop.is_set() and (daemon.active or daemon.claim()):
                daemon.watch()
                stop.wait(POLL / 10)
            daemon.close()
        return [firing for firing in ledger.firings() if firing.id in daemon.ended]


def serve(
    store: Store,
    run: Launch = launch_run,
    *,
    at_once: int = 1,
    poll: float = POLL,
    clock: Clock = lambda: None,
) -> None:
    """Run what comes due, at most `at_once` campaigns at a time, until SIGTERM or Ctrl-C.

    Campaigns that run then are asked to stop; the next daemon lets them go on. `clock` gives POSIX
    seconds, or None for the clock of the store.
    """
    with open_ledger(store) as ledger, _until_signalled() as stop:
        daemon = Daemon(ledger, store, run, clock)
        try:
            while not stop.is_set():
                daemon.plan(slots_between)
                while len(daemon.active) < at_once and daemon.claim():
                    pass
                daemon.watch()
                stop.wait(poll)
        finally:
            daemon.close()


def _zone(name: str) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise UserError(
            f"schedule.timezone must be a time zone of the IANA database, but got {name!r}; write one "
            "such as Europe/Paris or UTC"
        ) from None


def _no_schedule(ledger: Ledger, study: str) -> str:
    return unknown("schedule", study, [schedule.study for schedule in ledger.schedules()])


@contextmanager
def _until_signalled() -> Iterator[threading.Event]:
    """An event that SIGTERM and Ctrl-C set, in place of what they did before."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
