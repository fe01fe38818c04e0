"""The slots of a schedule: the times at which a study is planned to start."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator
from datetime import datetime

from cronsim import CronSim, CronSimError

from automl.contracts import RunError, UserError
from automl.ledger import ScheduleRow


def next_slot(schedule: ScheduleRow, after: float) -> datetime:
    """The first slot after a POSIX time, in the schedule's time zone."""
    return next(moment for moment in _moments(schedule, after) if moment.timestamp() > after)


def slots_between(schedule: ScheduleRow, start: float, end: float) -> Iterator[float]:
    """Slots after `start`, up to and including `end`, in POSIX seconds."""
    for moment in _moments(schedule, start):
        slot = moment.timestamp()
        if slot > end:
            return
        if slot > start:  # in a repeated hour cron arithmetic may step back to the first of the two
            yield slot


def _moments(schedule: ScheduleRow, start: float) -> CronSim:
    try:
        return CronSim(schedule.cron, datetime.fromtimestamp(start, time_zone(schedule.timezone)))
    except CronSimError as error:
        raise RunError(
            f"the ledger is damaged: cron of schedule {schedule.study!r} must be five fields, but has "
            f"{schedule.cron!r} ({error}); write it anew: automl schedule add {schedule.file}"
        ) from None


def time_zone(name: str) -> zoneinfo.ZoneInfo:
    """The time zone of that name. Raises `UserError` for an unknown one."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise UserError(
            f"schedule.timezone must be a time zone of the IANA database, but got {name!r}; write one "
            "such as Europe/Paris or UTC"
        ) from None
