"""Schedules and their firings: one row for each planned start, taken by one process at a time.

A firing is ready, then running, then done or failed; or it is skipped. Its token grows with each
process that takes it, so that a process that was wrongly thought dead cannot end it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Final

import sqlalchemy as sa

from automl.ledger.campaigns import held_by_living, latest_campaign
from automl.ledger.database import Database
from automl.ledger.owner import is_alive, is_same_host
from automl.ledger.rows import FiringRow, ScheduleRow
from automl.ledger.tables import Values, firings, schedules

SlotsBetween = Callable[[ScheduleRow, float, float], Iterable[float]]
HISTORY: Final = 86400.0  # seconds; slots missed longer ago (and than `catchup`) leave no row
PUNCTUAL: Final = 90.0  # seconds after which a slot that did not start counts as missed
LOOKED: Final = 30.0  # seconds between two notes that a process watches the schedules
_TAKEN: Final = ("state", "owner", "lease_until", "token", "attempts", "started_at")
_CLAIM_LOCK: Final = 0x6175746F6D6D  # PostgreSQL's advisory lock: one process claims at a time


class Firings:
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
            self._skip(connection, firings.c.study == study, "the schedule was removed")
            return connection.execute(sa.delete(schedules).where(schedules.c.study == study)).rowcount == 1

        return self._db.write(work)

    def pause_schedule(self, study: str, paused: bool, now: float | None = None) -> bool:
        """Pause or resume; slots between the two do not fire. False when there is no such schedule."""

        def work(connection: sa.Connection) -> bool:
            mine = schedules.c.study == study
            values = {"paused": paused, "planned_until": self._now(connection, now)}
            update = sa.update(schedules).where(mine, schedules.c.paused.is_(not paused))
            if _changed(connection, update.values(**values)):
                self._skip(connection, firings.c.study == study, "the schedule was paused")
                return True
            return connection.scalar(sa.select(schedules.c.study).where(mine)) is not None

        return self._db.write(work)

    def schedules(self) -> list[ScheduleRow]:
        """All schedules, by study."""
        query = sa.select(schedules).order_by(schedules.c.study)
        return self._db.read(lambda connection: [ScheduleRow(*row) for row in connection.execute(query)])

    def firings(self, study: str | None = None) -> list[FiringRow]:
        """All firings (of a study), by slot."""
        query = sa.select(firings).order_by(firings.c.slot, firings.c.study)
        if study is not None:
            query = query.where(firings.c.study == study)
        return self._db.read(lambda connection: [FiringRow(*row) for row in connection.execute(query)])

    def now(self) -> float:
        """POSIX seconds by the database's clock, which all hosts share."""
        return self._db.read(self._db.time)

    def plan(self, slots_between: SlotsBetween, now: float | None = None) -> None:
        """Write a row for each slot that has come: the newest is ready, those before it are skipped.

        `slots_between(schedule, start, end)` gives the slots after `start`, up to and with `end`.
        """
        for schedule in self.schedules():
            if not schedule.paused:
                self._db.write(partial(self._plan, schedule.study, slots_between, now))

    def _plan(
        self, study: str, slots_between: SlotsBetween, given: float | None, connection: sa.Connection
    ) -> None:
        mine = firings.c.study == study
        query = sa.select(schedules).where(schedules.c.study == study).with_for_update()
        row = connection.execute(query).one_or_none()
        if row is None or row.paused:
            return
        schedule, now = ScheduleRow(*row), self._now(connection, given)
        patience = max(schedule.catchup, PUNCTUAL)
        # a clock that was ahead and is right again must not silence the schedule
        start = max(min(schedule.planned_until, now), now - max(patience, HISTORY))
        known = set(connection.scalars(sa.select(firings.c.slot).where(mine, firings.c.slot > start)))
        fresh = [slot for slot in slots_between(schedule, start, now) if slot not in known]
        if now - schedule.planned_until > patience:  # nobody looked for that long
            self._skip(connection, mine & (firings.c.slot < now - patience), "missed for longer than catchup")
        if fresh:
            self._skip(connection, mine & (firings.c.slot < fresh[-1]), "a newer slot came before it started")
            rows = [_planned(schedule, slot, fresh[-1], now - patience) for slot in fresh]
            connection.execute(sa.insert(firings), rows)
        if fresh or abs(now - schedule.planned_until) > LOOKED:
            update = sa.update(schedules).where(schedules.c.study == study)
            connection.execute(update.values(planned_until=now))

    def claim_firing(
        self, owner: str, lease: float, now: float | None = None, *, held: Collection[int] = ()
    ) -> FiringRow | None:
        """Take the oldest firing that may run: an interrupted one, or a ready one of a study that is idle.

        `held`: firings of the caller; it keeps them even when their lease ran out while the machine slept.
        """

        def work(connection: sa.Connection) -> FiringRow | None:
            if self._db.dialect == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_CLAIM_LOCK)))
            time = self._now(connection, now)
            waiting = sa.select(firings).where(firings.c.state.in_(["ready", "running"]))
            rows = [
                FiringRow(*row) for row in connection.execute(waiting.order_by(firings.c.slot, firings.c.id))
            ]
            busy = {row.study for row in rows if row.state == "running"}
            for row in rows:
                if row.state == "running":
                    free = row.id not in held and _is_abandoned(row, time)
                else:
                    campaign = latest_campaign(connection, row.study)
                    driven = campaign is not None and held_by_living(campaign, self._db.time(connection))
                    free = row.study not in busy and not driven
                if free:
                    return _take(connection, row, owner, time, lease)
            return None

        return self._db.write(work)

    def extend_firing(self, firing: FiringRow, lease: float, now: float | None = None) -> bool:
        """Renew the lease of a firing; False when another process has taken it."""

        def work(connection: sa.Connection) -> bool:
            return _change(connection, firing, {"lease_until": self._now(connection, now) + lease})

        return self._db.write(work)

    def release_firing(self, firing: FiringRow) -> bool:
        """Leave a running firing to the next process that claims one."""
        values = {"owner": None, "lease_until": None}
        return self._db.write(lambda connection: _change(connection, firing, values))

    def finish_firing(
        self,
        firing: FiringRow,
        state: str,
        campaign: str | None,
        reason: str | None,
        now: float | None = None,
    ) -> bool:
        """End a firing as `done` or `failed`; False when another process has taken it."""

        def work(connection: sa.Connection) -> bool:
            values = {"state": state, "campaign": campaign, "reason": reason}
            if _change(connection, firing, values | {"finished_at": self._now(connection, now)}):
                return True
            row = connection.execute(sa.select(firings).where(firings.c.id == firing.id)).one_or_none()
            return row is not None and (row.token, row.state) == (firing.token, state)  # committed after all

        return self._db.write(work)

    def _now(self, connection: sa.Connection, now: float | None) -> float:
        return self._db.time(connection) if now is None else now

    def _skip(self, connection: sa.Connection, which: sa.ColumnElement[bool], reason: str) -> None:
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


def _is_abandoned(firing: FiringRow, now: float) -> bool:
    if firing.owner is None or firing.lease_until is None or firing.lease_until < now:
        return True
    return is_same_host(firing.owner) and not is_alive(firing.owner)


def _take(connection: sa.Connection, firing: FiringRow, owner: str, now: float, lease: float) -> FiringRow:
    taken = replace(
        firing,
        state="running",
        owner=owner,
        lease_until=now + lease,
        token=firing.token + 1,
        attempts=firing.attempts + 1,
        started_at=firing.started_at or now,
    )
    values = {name: value for name, value in vars(taken).items() if name in _TAKEN}
    connection.execute(sa.update(firings).where(firings.c.id == firing.id).values(**values))
    return taken


def _change(connection: sa.Connection, firing: FiringRow, values: Mapping[str, object]) -> bool:
    held = (firings.c.id == firing.id) & (firings.c.token == firing.token) & (firings.c.state == "running")
    return _changed(connection, sa.update(firings).where(held).values(**values))


def _changed(connection: sa.Connection, update: sa.Update) -> bool:
    return connection.execute(update).rowcount == 1
