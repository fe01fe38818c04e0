"""Adds, pauses, resumes and removes the schedules of studies."""

from __future__ import annotations

from pathlib import Path

from automl.config import Study
from automl.config.checks import cron_mistake
from automl.contracts import UserError
from automl.ledger import Ledger, ScheduleRow
from automl.plugins import unknown
from automl.schedule.slots import time_zone


def add(ledger: Ledger, study: Study, file: Path, *, trusted: bool = False) -> ScheduleRow:
    """Run the study of `file` by its schedule from now on, in place of an earlier schedule of it.

    `trusted`: its campaigns run code that the file names, wherever it is.
    """
    if study.schedule is None:
        raise UserError(
            f"{file}: a recurring study needs `schedule: {{cron: …}}`, but has none; "
            'add it, or give --cron "0 2 * * *"'
        )
    cron, timezone = study.schedule.cron, study.schedule.timezone
    mistake = cron_mistake(cron)
    if mistake:
        raise UserError(f"{file}: schedule.cron {mistake}")
    time_zone(timezone)
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
        trusted=trusted,
    )
    ledger.put_schedule(row)
    return row


def remove(ledger: Ledger, study: str) -> None:
    """Remove the schedule of a study; a running campaign goes on."""
    if not ledger.remove_schedule(study):
        raise UserError(_no_schedule(ledger, study))


def pause(ledger: Ledger, study: str) -> None:
    """Start no campaign of a study until its schedule is resumed."""
    if not ledger.pause_schedule(study, True):
        raise UserError(_no_schedule(ledger, study))


def resume(ledger: Ledger, study: str) -> None:
    """Start campaigns again from the next slot on; slots of the pause stay skipped."""
    if not ledger.pause_schedule(study, False):
        raise UserError(_no_schedule(ledger, study))


def list_schedules(ledger: Ledger) -> list[ScheduleRow]:
    """All schedules, by study."""
    return ledger.schedules()


def _no_schedule(ledger: Ledger, study: str) -> str:
    return unknown("schedule", study, [schedule.study for schedule in ledger.schedules()])
