"""Places that several campaigns share: each driver says what it could use, and hears what it may hold.

One transaction at a time for each place, so that no two drivers take the same slot. What a driver that died
held is free as soon as it counts as dead (see `Campaigns.acquire`).
"""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa

from automl.contracts import Room, RunError, UserError, storable
from automl.ledger.database import Database
from automl.ledger.fairness import grant, joined, served
from automl.ledger.owner import LEASE, is_living
from automl.ledger.queue_tables import places, shares
from automl.ledger.share_rows import Agreed, Asks, Place, ShareRow, read_share
from automl.ledger.tables import Values, campaigns


class Shares:
    """The part of the ledger about places that campaigns share."""

    _db: Database

    def join_place(self, place: Place, row: ShareRow) -> ShareRow:
        """Take part at a place from now on; nothing is granted yet. A priority asked for is kept."""

        def work(connection: sa.Connection) -> ShareRow:
            now = self._db.time(connection)
            _lock(connection, place, now)
            known = _share(connection, row.campaign)
            others = _living(connection, place.id, row.campaign, now)
            claim = joined(row.claim, [other.claim for other in others], place.rooms)
            new = replace(row, service=claim.service, at=now)
            if known is None:
                connection.execute(sa.insert(shares), vars(new))
                return new
            new = replace(new, asked=known.asked, asked_by=known.asked_by)
            _write(connection, new)
            return new

        try:
            return self._db.write(work)
        except sa.exc.IntegrityError:  # another one has just named the same place
            return self._db.write(work)

    def claim(self, place: Place, campaign: str, token: int, asks: Asks) -> Agreed:
        """Say what a campaign holds and could use, and hear what it may hold.

        Raises `RunError` when another driver than that with `token` has taken it over.
        """

        def work(connection: sa.Connection) -> Agreed:
            now = self._db.time(connection)
            _lock(connection, place, now)
            known = _share(connection, campaign)
            held_by = connection.scalar(sa.select(campaigns.c.token).where(campaigns.c.id == campaign))
            if known is None or held_by != token:
                raise RunError(f"another process has taken over {campaign}; its slots are that process's")
            others = _living(connection, place.id, campaign, now)
            said = replace(known, wanted=asks.wanted, held=asks.held, open_seconds=asks.open_seconds)
            claims = [other.claim for other in others]
            granted = grant(said.claim, claims, place.rooms, place.turn)
            mine = served(said.claim, claims, place.rooms, asks.slot_seconds)
            slots = max(granted.slots, asks.held, asks.most)
            idle = asks.waits_for or (not slots and asks.wanted)
            new = replace(
                said,
                service=mine.service,
                granted=slots,
                ends_at=None if asks.ends_in is None else now + asks.ends_in,
                waits_since=(known.waits_since or now) if idle and not asks.held else None,
                waits_for=asks.waits_for,
                at=now,
            )
            _write(connection, new)
            return Agreed(granted, new, tuple(others))

        return self._db.write(work, synced=False)

    def leave_place(self, campaign: str, token: int) -> None:
        """Give all slots of a campaign back, unless another driver has it."""
        nothing: Values = dict.fromkeys(("wanted", "held", "granted", "open_seconds"), 0)
        nothing |= {"ends_at": None, "waits_since": None, "waits_for": None}
        driven = sa.select(campaigns.c.id).where(campaigns.c.id == campaign, campaigns.c.token == token)
        update = sa.update(shares).where(shares.c.campaign.in_(driven)).values(nothing)
        self._db.write(lambda c: c.execute(update.values(left_at=self._db.time(c))).rowcount)

    def sharing(self, place: str, campaign: str = "") -> list[ShareRow]:
        """The campaigns that are driven at a place now, but for `campaign`."""
        return self._db.read(lambda c: _living(c, place, campaign, self._db.time(c)))

    def shares(self) -> dict[str, ShareRow]:
        """What campaigns ask and hold, or have at last, by campaign."""

        def work(connection: sa.Connection) -> dict[str, ShareRow]:
            rows = [read_share(row) for row in connection.execute(sa.select(shares))]
            return {row.campaign: row for row in rows}

        return self._db.read(work)

    def places(self) -> list[Place]:
        """All places at which trials have run."""

        def work(connection: sa.Connection) -> list[Place]:
            rows = connection.execute(sa.select(places).order_by(places.c.id))
            return [Place(row.id, tuple(Room(*room) for room in row.rooms), row.turn) for row in rows]

        return self._db.read(work)

    def set_priority(self, campaign: str, priority: int | None, by: str) -> ShareRow:
        """Give a campaign another priority than that of its study, or that again with None.

        Raises `UserError` for a campaign that takes part at no place.
        """

        def work(connection: sa.Connection) -> ShareRow:
            asked: Values = {"asked": priority, "asked_by": None if priority is None else storable(by)}
            connection.execute(sa.update(shares).where(shares.c.campaign == campaign).values(asked))
            row = _share(connection, campaign)
            if row is None:
                raise UserError(
                    f"a campaign must share a place to have a priority there, but {campaign} does not or has "
                    "not begun; set priority in its study"
                )
            return row

        return self._db.write(work)


def _lock(connection: sa.Connection, place: Place, now: float) -> None:
    """Let nobody else agree on that place until the end of the transaction; note what it has."""
    values = {
        "rooms": [[room.cpus, room.gpus] for room in place.rooms],
        "turn": place.turn,
        "at": now,
    }
    chosen = places.c.id == place.id
    if not connection.execute(sa.update(places).where(chosen).values(values)).rowcount:
        connection.execute(sa.insert(places), {"id": place.id, **values})


def _share(connection: sa.Connection, campaign: str) -> ShareRow | None:
    row = connection.execute(sa.select(shares).where(shares.c.campaign == campaign)).one_or_none()
    return None if row is None else read_share(row)


def _living(connection: sa.Connection, place: str, campaign: str, now: float) -> list[ShareRow]:
    """The rows of campaigns at a place that have a driver, but for `campaign`, by name."""
    query = sa.select(shares, campaigns.c.owner, campaigns.c.heartbeat_at).join(campaigns)
    query = query.where(shares.c.place == place, shares.c.campaign != campaign, shares.c.left_at.is_(None))
    query = query.order_by(shares.c.campaign)
    found = []
    for row in connection.execute(query):
        *columns, owner, heartbeat_at = row
        if is_living(owner, heartbeat_at, now, LEASE):
            found.append(columns)
    return [ShareRow(**dict(zip(shares.c.keys(), columns, strict=True))) for columns in found]


def _write(connection: sa.Connection, row: ShareRow) -> None:
    values = {name: value for name, value in vars(row).items() if name not in ("asked", "asked_by")}
    connection.execute(sa.update(shares).where(shares.c.campaign == row.campaign).values(values))
