"""Schedules, and the rows of their firings: one for each planned start."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import sqlalchemy as sa

from automl.ledger import reading
from automl.ledger.database import Database
from automl.ledger.schedule_rows import ScheduleRow
from automl.ledger.tables import Values, firings, schedules

SlotsBetween = Callable[[ScheduleRow, float, float], Iterable[float]]
HISTORY: Final = 86400.0  # seconds; slots missed longer ago (and than `catchup`) leave no row
PUNCTUAL: Final = 90.0  # seconds after which a slot that did not start counts as missed
LOOKED: Final = 30.0  # seconds between two notes that a process watches the schedules


class Schedules:
    """The part of the ledger about schedules. `now`: POSIX seconds; None takes the database's clock."""

    _db: Database

    def put_schedule(self, row: ScheduleRow) -> None:
        """Add a schedule, or replace that of its study (paused stays paused); past slots do not fire."""
        values = {
            key: value for key, value in vars(row).items() if key not in ("study", "paused", "created_at")
        }

        def work(connection: sa.Connection) -> None:
            mine = schedules.c.study == row.study
            if not connection.execute(sa.update(schedules).where(mine).values(**values)).rowcount:
                connection.execute(sa.insert(schedules), vars(row))

        self._db.write(work)

    def remove_schedule(self, study: str) -> bool:
        """Remove a schedule and its waiting firings; one that runs goes on. False when there was none."""

        def work(connection: sa.Connection) -> bool:
            _skip(connection, firings.c.study == study, "the schedule was removed")
            return connection.execute(sa.delete(schedules).where(schedules.c.study == study)).rowcount == 1

        return self._db.write(work)

    def pause_schedule(self, study: str, paused: bool, now: float | None = None) -> bool:
        """Pause or resume; slots between the two do not fire. False when there is no such schedule."""

        def work(connection: sa.Connection) -> bool:
            mine = schedules.c.study == study
            values = {"paused": paused, "planned_until": self._db.time(connection, now)}
            update = sa.update(schedules).where(mine, schedules.c.paused.is_(not paused))
            if connection.execute(update.values(**values)).rowcount:
                _skip(connection, firings.c.study == study, "the schedule was paused")
                return True
            return connection.scalar(sa.select(schedules.c.study).where(mine)) is not None

        return self._db.write(work)

    def schedules(self) -> list[ScheduleRow]:
        """All schedules, by study."""
        query = sa.select(schedules).order_by(schedules.c.study)
        return self._db.read(lambda connection: [reading.schedule(row) for row in connection.execute(query)])

    def now(self) -> float:
        """POSIX seconds by the database's clock, which all hosts share."""
        return self._db.read(self._db.time)

    def plan(self, slots_between: SlotsBetween, now: float | None = None) -> None:
        """Write a row for each slot that has come: the newest is ready, those before it are skipped.

        `slots_between(schedule, start, end)` gives the slots after `start`, up to and with `end`.
        """
        for schedule in self.schedules():
            if not schedule.paused:
                self._plan(schedule.study, slots_between, now)

    def _plan(self, study: str, slots_between: SlotsBetween, given: float | None) -> None:
        self._db.write(lambda connection: self._write_slots(connection, study, slots_between, given))

    def _write_slots(
        self, connection: sa.Connection, study: str, slots_between: SlotsBetween, given: float | None
    ) -> None:
        mine = firings.c.study == study
        query = sa.select(schedules).where(schedules.c.study == study).with_for_update()
        row = connection.execute(query).one_or_none()
        if row is None or row.paused:
            return
        schedule, now = reading.schedule(row), self._db.time(connection, given)
        patience = max(schedule.catchup, PUNCTUAL)
        # a clock that was ahead and is right again must not silence the schedule
        start = max(min(schedule.planned_until, now), now - max(patience, HISTORY))
        known = set(connection.scalars(sa.select(firings.c.slot).where(mine, firings.c.slot > start)))
        fresh = [slot for slot in slots_between(schedule, start, now) if slot not in known]
        if now - schedule.planned_until > patience:  # nobody looked for that long
            _skip(connection, mine & (firings.c.slot < now - patience), "missed for longer than catchup")
        if fresh:
            _skip(connection, mine & (firings.c.slot < fresh[-1]), "a newer slot came before it started")
            rows = [_planned(schedule, slot, fresh[-1], now - patience) for slot in fresh]
            connection.execute(sa.insert(firings), rows)
        if fresh or abs(now - schedule.planned_until) > LOOKED:
            update = sa.update(schedules).where(schedules.c.study == study)
            connection.execute(update.values(planned_until=now))


def _skip(connection: sa.Connection, which: sa.ColumnElement[bool], reason: str) -> None:
    ready = which & (firings.c.state == "ready")
    connection.execute(sa.update(firings).where(ready).values(state="skipped", reason=reason))


def _planned(schedule: ScheduleRow, slot: float, newest: float, oldest: float) -> Values:
    reason = None
    if slot < newest:
        reason = "a newer slot was missed too"
    elif slot < oldest:
        reason = "missed for longer than catchup"
    return {
        "study": schedule.study,
        "slot": slot,
        "state": "skipped" if reason else "ready",
        "reason": reason,
    }
