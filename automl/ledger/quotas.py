"""Quotas: device-seconds that the campaigns of a study, or of a user, may use in a period.

Counted from what attempts were charged when they ended, those of retrainings and retries included, and from
what open ones have used so far. What the values of a benchmark file stand for is replayed, and costs nothing
here. A campaign is charged to the user who began it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

import sqlalchemy as sa

from automl.contracts import storable
from automl.ledger.database import Database
from automl.ledger.owner import LEASE, is_living
from automl.ledger.queue_tables import quotas, shares, spent
from automl.ledger.reader import Reader
from automl.ledger.rules import COST, NAME, SECONDS, one_of
from automl.ledger.tables import attempts, campaigns, searches, trials

KINDS: Final = ("study", "user")
PERIODS: Final[Mapping[str, str]] = MappingProxyType(
    {"day": "a day", "week": "a week", "month": "a month", "total": "in all"}
)
DAY: Final = 86400.0  # seconds


@dataclass(frozen=True)
class Quota:
    """What the campaigns of a study or user may use in each `period`, which begins at midnight UTC.

    `kind`: study or user; `period`: day, week (from Monday on), month or total; `by`: user@host who set it.
    """

    kind: str
    name: str
    period: str
    device_seconds: float
    by: str
    at: float

    @property
    def words(self) -> str:
        """The quota in words, such as `10 device-hours a week of user ann`."""
        return (
            f"{self.device_seconds / 3600:g} device-hours {PERIODS[self.period]} of {self.kind} {self.name}"
        )


@dataclass(frozen=True)
class Usage:
    """A quota, and what is used of it: `used` device-seconds since `begins`, anew from `ends` on.

    Both in POSIX seconds; `ends` is None for one that does not begin anew.
    """

    quota: Quota
    used: float
    begins: float
    ends: float | None

    @property
    def left(self) -> float:
        """Device-seconds that are left, negative when more was used."""
        return self.quota.device_seconds - self.used

    @property
    def anew(self) -> str:
        """When it begins anew, in words."""
        if self.ends is None:
            return "it does not begin anew"
        return f"it begins anew at {datetime.fromtimestamp(self.ends, UTC):%Y-%m-%d %H:%M UTC}"


read_quota: Final = Reader(
    Quota,
    "quota",
    ("kind", "name", "period"),
    {
        "kind": one_of(KINDS),
        "name": NAME,
        "period": one_of(PERIODS),
        "device_seconds": COST,
        "by": NAME,
        "at": SECONDS,
    },
)


class Quotas:
    """The part of the ledger about quotas."""

    _db: Database

    def set_quota(self, kind: str, name: str, period: str, device_seconds: float, by: str) -> Quota:
        """Set a quota, in place of another one of that kind, name and period."""

        def work(connection: sa.Connection) -> Quota:
            quota = Quota(kind, name, period, device_seconds, storable(by), self._db.time(connection))
            connection.execute(sa.delete(quotas).where(_named(kind, name, period)))
            connection.execute(sa.insert(quotas), vars(quota))
            return quota

        return self._db.write(work)

    def remove_quota(self, kind: str, name: str, period: str) -> bool:
        """Whether there was such a quota, which is not there any more."""
        delete = sa.delete(quotas).where(_named(kind, name, period))
        return self._db.write(lambda connection: connection.execute(delete).rowcount > 0)

    def usages(self, *, study: str | None = None, user: str | None = None) -> list[Usage]:
        """What is used of all quotas; with `study` or `user`, of those that hold for the one or the other."""
        query = sa.select(quotas).order_by(quotas.c.kind, quotas.c.name, quotas.c.period)
        if study is not None or user is not None:
            of_study = (quotas.c.kind == "study") & (quotas.c.name == study)
            query = query.where(of_study | ((quotas.c.kind == "user") & (quotas.c.name == user)))

        def work(connection: sa.Connection) -> list[Usage]:
            now = self._db.time(connection)
            rows = [read_quota(row) for row in connection.execute(query)]
            return [_usage(connection, quota, now) for quota in rows]

        return self._db.read(work)


def keep_spent(connection: sa.Connection, campaign: str) -> None:
    """Note what a campaign has used, by day, before its rows are deleted."""
    day = sa.cast(sa.func.floor(attempts.c.finished_at / DAY), sa.Integer)
    cost = sa.func.sum(attempts.c.device_seconds).label("device_seconds")
    query = sa.select(campaigns.c.id, day.label("day"), campaigns.c.study, campaigns.c.begun_by, cost)
    query = query.select_from(_charged()).where(campaigns.c.id == campaign)
    rows = connection.execute(query.group_by(campaigns.c.id, day, campaigns.c.study, campaigns.c.begun_by))
    names = ("campaign", "day", "study", "begun_by", "device_seconds")
    if kept := [dict(zip(names, row, strict=True)) for row in rows]:
        connection.execute(sa.insert(spent), kept)


def period_of(period: str, now: float) -> tuple[float, float | None]:
    """When a period began, and when it ends (None: never), in POSIX seconds."""
    today = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "total":
        return 0.0, None
    if period == "day":
        begins, ends = today, today + timedelta(days=1)
    elif period == "week":
        begins = today - timedelta(days=today.weekday())
        ends = begins + timedelta(days=7)
    else:
        begins = today.replace(day=1)
        ends = (begins + timedelta(days=31)).replace(day=1)
    return begins.timestamp(), ends.timestamp()


def _named(kind: str, name: str, period: str) -> sa.ColumnElement[bool]:
    return (quotas.c.kind == kind) & (quotas.c.name == name) & (quotas.c.period == period)


def _usage(connection: sa.Connection, quota: Quota, now: float) -> Usage:
    begins, ends = period_of(quota.period, now)
    of_kind = campaigns.c.study if quota.kind == "study" else campaigns.c.begun_by
    of_gone = spent.c.study if quota.kind == "study" else spent.c.begun_by
    ended = sa.select(sa.func.sum(attempts.c.device_seconds)).select_from(_charged())
    ended = ended.where(of_kind == quota.name, attempts.c.finished_at >= begins)
    gone = sa.select(sa.func.sum(spent.c.device_seconds))
    gone = gone.where(of_gone == quota.name, spent.c.day >= int(begins // DAY))
    used = float(connection.scalar(ended) or 0.0) + float(connection.scalar(gone) or 0.0)
    query = sa.select(shares.c.open_seconds, campaigns.c.owner, campaigns.c.heartbeat_at).join(campaigns)
    for seconds, owner, heartbeat_at in connection.execute(query.where(of_kind == quota.name)):
        used += seconds if is_living(owner, heartbeat_at, now, LEASE) else 0.0
    return Usage(quota, used, begins, ends)


def _charged() -> sa.FromClause | Any:
    """Attempts with their trials, searches and campaigns."""
    return attempts.join(trials).join(searches).join(campaigns)
