"""Firings: the planned starts of schedules, each taken by one process at a time.

A firing is ready, then running, then done or failed; or it is skipped, also while running when its process
finds that nothing has changed. Its token grows with each process that takes it, so that a process that was
wrongly thought dead cannot end it.

    slot comes ──► ready ──claim──► running ──bind──► running with its campaign ──finish──► done
       │             │               │    ▲                       │    ▲
       └─► skipped ◄─┘     killed, stopped: claimed again     the same, and its campaign is continued

A firing is one campaign: the transaction that creates or adopts the campaign binds it to the firing, which
can be done once. Whoever works for the firing later finds it there and continues or waits for that one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

import sqlalchemy as sa

from automl.ledger import reading
from automl.ledger.campaigns import held_by_living, latest_campaign
from automl.ledger.database import Database
from automl.ledger.owner import is_alive, is_same_host
from automl.ledger.schedule_rows import FiringRow
from automl.ledger.tables import firings

_TAKEN: Final = ("state", "owner", "lease_until", "token", "started_at")
_CLAIM_LOCK: Final = 0x6175746F6D6D  # PostgreSQL's advisory lock: one process claims at a time


class Firings:
    """The part of the ledger about firings. `now`: POSIX seconds; None takes the database's clock."""

    _db: Database

    def firings(self, study: str | None = None) -> list[FiringRow]:
        """All firings (of a study), by slot."""
        query = sa.select(firings).order_by(firings.c.slot, firings.c.study)
        if study is not None:
            query = query.where(firings.c.study == study)
        return self._db.read(lambda connection: [reading.firing(row) for row in connection.execute(query)])

    def claim_firing(
        self, owner: str, lease: float, now: float | None = None, *, held: Collection[int] = ()
    ) -> FiringRow | None:
        """Take the oldest firing that may run: an interrupted one, or a ready one of a study that is idle.

        `held`: firings of the caller; it keeps them even when their lease ran out while the machine slept.
        """

        def work(connection: sa.Connection) -> FiringRow | None:
            if self._db.dialect == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_CLAIM_LOCK)))
            time = self._db.time(connection, now)
            waiting = sa.select(firings).where(firings.c.state.in_(["ready", "running"]))
            rows = [
                reading.firing(row)
                for row in connection.execute(waiting.order_by(firings.c.slot, firings.c.id))
            ]
            busy = {row.study for row in rows if row.state == "running"}
            for row in rows:
                if row.state == "running":
                    free = row.id not in held and _is_abandoned(row, time)
                else:
                    campaign = latest_campaign(connection, row.study)
                    driven = campaign is not None and held_by_living(campaign, self._db.time(connection))
                    free = row.study not in busy and not driven
                if free and (taken := _take(connection, row, owner, time, lease)) is not None:
                    return taken
            return None

        return self._db.write(work)

    def extend_firing(self, firing: FiringRow, lease: float, now: float | None = None) -> bool:
        """Renew the lease of a firing; False when another process has taken it."""

        def work(connection: sa.Connection) -> bool:
            return _change(connection, firing, {"lease_until": self._db.time(connection, now) + lease})

        return self._db.write(work)

    def release_firing(self, firing: FiringRow, attempts: int) -> bool:
        """Leave a running firing to the next process that claims one.

        `attempts`: how often in a row its campaign was killed before it had ended a trial.
        """
        values = {"owner": None, "lease_until": None, "attempts": attempts}
        return self._db.write(lambda connection: _change(connection, firing, values))

    def forget_kills(self, firing: FiringRow) -> bool:
        """Count kills of a running firing's campaign anew: it has ended a trial."""
        return self._db.write(lambda connection: _change(connection, firing, {"attempts": 0}))

    def skip_firing(self, firing: int, reason: str) -> bool:
        """End a running firing that has no campaign as skipped; False when it is in another state."""

        def work(connection: sa.Connection) -> bool:
            chosen = firings.c.id == firing
            free = chosen & (firings.c.state == "running") & firings.c.campaign.is_(None)
            values = {"state": "skipped", "reason": reason, "finished_at": self._db.time(connection)}
            if connection.execute(sa.update(firings).where(free).values(**values)).rowcount:
                return True
            row = connection.execute(sa.select(firings).where(chosen)).one_or_none()
            return row is not None and (row.state, row.reason) == ("skipped", reason)  # committed after all

        return self._db.write(work)

    def firing(self, firing: int) -> FiringRow | None:
        """The firing of that id."""
        query = sa.select(firings).where(firings.c.id == firing)

        def work(connection: sa.Connection) -> FiringRow | None:
            row = connection.execute(query).one_or_none()
            return None if row is None else reading.firing(row)

        return self._db.read(work)

    def finish_firing(
        self, firing: FiringRow, state: str, reason: str | None, now: float | None = None
    ) -> bool:
        """End a firing as `done` or `failed`; False when another process has taken it."""

        def work(connection: sa.Connection) -> bool:
            values = {"state": state, "reason": reason}
            if _change(connection, firing, values | {"finished_at": self._db.time(connection, now)}):
                return True
            row = connection.execute(sa.select(firings).where(firings.c.id == firing.id)).one_or_none()
            return row is not None and (row.token, row.state) == (firing.token, state)  # committed after all

        return self._db.write(work)


def _is_abandoned(firing: FiringRow, now: float) -> bool:
    if firing.owner is None or firing.lease_until is None or firing.lease_until < now:
        return True
    return is_same_host(firing.owner) and not is_alive(firing.owner)


def _take(
    connection: sa.Connection, firing: FiringRow, owner: str, now: float, lease: float
) -> FiringRow | None:
    """The firing as taken, None when another process has changed it since it was read."""
    taken = replace(
        firing,
        state="running",
        owner=owner,
        lease_until=now + lease,
        token=firing.token + 1,
        started_at=firing.started_at or now,
    )
    values = {name: value for name, value in vars(taken).items() if name in _TAKEN}
    as_read = sa.and_(
        firings.c.id == firing.id,
        *(firings.c[name].is_not_distinct_from(vars(firing)[name]) for name in _TAKEN),
    )
    return taken if connection.execute(sa.update(firings).where(as_read).values(**values)).rowcount else None


def _change(connection: sa.Connection, firing: FiringRow, values: Mapping[str, object]) -> bool:
    held = (firings.c.id == firing.id) & (firings.c.token == firing.token) & (firings.c.state == "running")
    return connection.execute(sa.update(firings).where(held).values(**values)).rowcount == 1
