"""Campaigns, and the lease of the one driver each may have."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import sqlalchemy as sa

from automl.contracts import CampaignMemory, RunError, UserError
from automl.ledger import reading
from automl.ledger.bindings import bind
from automl.ledger.database import Database
from automl.ledger.memories import keep_memory
from automl.ledger.owner import LEASE, is_living, user_name
from automl.ledger.recorded import Recorded
from automl.ledger.requests import Requests, refuse_open
from automl.ledger.rows import CampaignRow, DriveRow
from automl.ledger.tables import campaigns, drives
from automl.ledger.tombstones import last_deleted, refuse_deleted


class Campaigns(Recorded, Requests):
    """The part of the ledger about campaigns."""

    _db: Database
    _held: dict[str, int]  # campaign: the token this ledger drives it with

    def create_campaign(
        self,
        study: str,
        spec: Mapping[str, object],
        digest: str,
        provenance: Mapping[str, object],
        firing: int | None = None,
        *,
        memory: CampaignMemory | None = None,
    ) -> CampaignRow:
        """A new campaign of `study`, numbered after its latest.

        `firing`: the planned start whose campaign it is. `memory`: what it remembers of earlier ones. Raises
        `RunError` when the firing has a campaign.
        """
        created = time.time()

        def work(connection: sa.Connection) -> CampaignRow:
            latest = latest_campaign(connection, study)
            if latest is not None and (latest.created_at, latest.digest) == (created, digest):
                return latest  # the first try was committed after all
            number = max(latest.number if latest else 0, last_deleted(connection, study)) + 1
            if firing is not None:
                bind(connection, firing, f"{study}-{number}")
            connection.execute(
                sa.insert(campaigns),
                {
                    "id": f"{study}-{number}",
                    "study": study,
                    "number": number,
                    "state": "running",
                    "spec": spec,
                    "digest": digest,
                    "provenance": provenance,
                    "created_at": created,
                    "begun_by": user_name(),
                },
            )
            if memory is not None:
                keep_memory(connection, f"{study}-{number}", memory)
            row = latest_campaign(connection, study)
            if row is None:
                raise RuntimeError(f"{study}-{number} was inserted but cannot be read")
            return row

        for _ in range(20):
            try:
                return self._db.write(work)
            except sa.exc.IntegrityError:
                continue  # another process took the number
        raise RunError(f"{study}: no number was free for a new campaign; run the command again")

    def set_provenance(self, campaign: str, provenance: Mapping[str, object]) -> CampaignRow:
        """Note what is now known of a campaign's origin."""

        def work(connection: sa.Connection) -> CampaignRow:
            chosen = campaigns.c.id == campaign
            connection.execute(sa.update(campaigns).where(chosen).values(provenance=provenance))
            row = _get(connection, campaign)
            if row is None:
                raise RuntimeError(f"{campaign} must exist to be noted, but does not")
            return row

        return self._db.write(work)

    def campaign(self, campaign: str) -> CampaignRow | None:
        """The campaign of that id."""
        return self._db.read(lambda connection: _get(connection, campaign))

    def latest(self, study: str) -> CampaignRow | None:
        """The newest campaign of a study."""
        return self._db.read(lambda connection: latest_campaign(connection, study))

    def campaigns(self, study: str | None = None) -> list[CampaignRow]:
        """All campaigns (of a study), by study and number."""
        query = sa.select(campaigns).order_by(campaigns.c.study, campaigns.c.number)
        if study is not None:
            query = query.where(campaigns.c.study == study)
        return self._db.read(lambda connection: [reading.campaign(row) for row in connection.execute(query)])

    def acquire(self, campaign: str, owner: str, *, lease: float = LEASE, began: float = 0.0) -> int:
        """Become the driver of a campaign; the token fences every earlier driver.

        `began`: seconds ago at which this driver began to work for it.
        A driver on this host is replaced as soon as its process is dead, one elsewhere when its
        heartbeat is `lease` seconds old. Raises `RunError` while another one lives.
        """

        def work(connection: sa.Connection) -> int:
            row = _get(connection, campaign, lock=True)
            if row is None:
                raise UserError(f"a campaign must exist to be run, but there is no {campaign!r}")
            refuse_deleted(connection, campaign)
            now = self._db.time(connection)
            if row.owner != owner and held_by_living(row, now, lease):
                raise RunError(
                    f"{campaign} is being run by {row.owner}; nothing was changed; wait for it, or stop "
                    f"it and run again (a driver elsewhere counts as dead after {lease:g} s without a sign)"
                )
            token = row.token + 1
            connection.execute(
                sa.update(campaigns)
                .where(campaigns.c.id == campaign)
                .values(owner=owner, token=token, heartbeat_at=now)
            )
            drive = {"campaign": campaign, "token": token, "started_at": now - began, "until": now}
            connection.execute(sa.insert(drives), drive)
            return token

        self._held[campaign] = token = self._db.write(work)
        return token

    def heartbeat(self, campaign: str, token: int) -> bool:
        """Show that the driver lives; False when another one has taken over."""
        return self._db.write(
            lambda connection: self._drive(connection, campaign, token, lambda now: {"heartbeat_at": now})
        )

    def finish_campaign(self, campaign: str, token: int, reason: str | None = None) -> bool:
        """End a campaign for good; False when another driver has taken over.

        Its driver keeps it to record its end. `reason`: the limit, or the request, that ended it early.
        Requests that no driver has taken are answered.
        """
        values = {"state": "finished", "finished_at": time.time(), "reason": reason}

        def work(connection: sa.Connection) -> bool:
            ended = self._drive(connection, campaign, token, lambda now: values)
            if ended:
                refuse_open(connection, campaign, self._db.time(connection))
            return ended

        return self._db.write(work)

    def release(self, campaign: str, token: int) -> bool:
        """Stop driving a campaign; unfinished, it reads as interrupted."""
        return self._db.write(
            lambda connection: self._drive(connection, campaign, token, lambda now: {"owner": None})
        )

    def drives(self, campaign: str) -> list[DriveRow]:
        """The times at which a campaign had a driver, in order."""
        query = sa.select(drives).where(drives.c.campaign == campaign).order_by(drives.c.token)
        return self._db.read(lambda connection: [reading.drive(row) for row in connection.execute(query)])

    def _drive(
        self,
        connection: sa.Connection,
        campaign: str,
        token: int,
        values: Callable[[float], Mapping[str, object]],
    ) -> bool:
        """Write a sign of life of the driver with that token; False when another one has taken over."""
        now = self._db.time(connection)
        if not _update_owned(connection, campaign, token, values(now)):
            return False
        held = (drives.c.campaign == campaign) & (drives.c.token == token)
        connection.execute(sa.update(drives).where(held).values(until=now))
        return True

    def status(self, campaign: CampaignRow, *, lease: float = LEASE) -> str:
        """`running`, `paused` (driven, but nothing new starts), `finished`, or `interrupted` (no driver)."""
        if campaign.state == "finished":
            return "finished"
        if not self.is_driven(campaign, lease=lease):
            return "interrupted"
        return "running" if self.wishes(campaign.id).pause is None else "paused"

    def is_driven(self, campaign: CampaignRow, *, lease: float = LEASE) -> bool:
        """Whether a living process runs a campaign, or records the end of a finished one."""
        return held_by_living(campaign, self._db.read(self._db.time), lease)


def _get(connection: sa.Connection, campaign: str, *, lock: bool = False) -> CampaignRow | None:
    query = sa.select(campaigns).where(campaigns.c.id == campaign)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else reading.campaign(row)


def latest_campaign(connection: sa.Connection, study: str) -> CampaignRow | None:
    """The newest campaign of a study."""
    newest = campaigns.c.number.desc()
    row = connection.execute(
        sa.select(campaigns).where(campaigns.c.study == study).order_by(newest).limit(1)
    ).one_or_none()
    return None if row is None else reading.campaign(row)


def held_by_living(row: CampaignRow, now: float, lease: float = LEASE) -> bool:
    """Whether a campaign has a driver that is alive, as far as this host can tell."""
    return is_living(row.owner, row.heartbeat_at, now, lease)


def _update_owned(connection: sa.Connection, campaign: str, token: int, values: Mapping[str, object]) -> bool:
    owned = (campaigns.c.id == campaign) & (campaigns.c.token == token)
    return connection.execute(sa.update(campaigns).where(owned).values(**values)).rowcount == 1
