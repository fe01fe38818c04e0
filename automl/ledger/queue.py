"""Which campaigns are driven now, what they hold, and what they have used."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from automl.contracts import TrialState
from automl.ledger import reading
from automl.ledger.campaigns import held_by_living
from automl.ledger.database import Database
from automl.ledger.queue_tables import shares
from automl.ledger.rows import CampaignRow, DriveRow
from automl.ledger.share_rows import ShareRow, read_share
from automl.ledger.tables import campaigns, drives, searches, trials


@dataclass(frozen=True)
class Queued:
    """A campaign that has a driver. `share`: None for one that shares no place.

    `drive`: of its driver, since when. `ended`: trials and retrainings that have; `device_seconds`: of all
    attempts that have ended.
    """

    campaign: CampaignRow
    share: ShareRow | None
    drive: DriveRow
    ended: int
    device_seconds: float


class Queue:
    """The part of the ledger about campaigns that are driven now."""

    _db: Database

    def queue(self) -> list[Queued]:
        """All campaigns that have a driver and have not ended, the first one first."""

        def work(connection: sa.Connection) -> list[Queued]:
            now = self._db.time(connection)
            query = sa.select(campaigns).where(campaigns.c.state == "running", campaigns.c.owner.is_not(None))
            rows = [reading.campaign(row) for row in connection.execute(query)]
            found = [_queued(connection, row) for row in rows if held_by_living(row, now)]
            return sorted(found, key=lambda one: one.drive.started_at)

        return self._db.read(work)


def _queued(connection: sa.Connection, row: CampaignRow) -> Queued:
    share = connection.execute(sa.select(shares).where(shares.c.campaign == row.id)).one_or_none()
    held = (drives.c.campaign == row.id) & (drives.c.token == row.token)
    own = sa.select(searches.c.id).where(searches.c.campaign == row.id)
    ended = sa.func.sum(sa.case((trials.c.state != TrialState.RUNNING.value, 1), else_=0))
    cost = sa.func.sum(trials.c.device_seconds)
    count, seconds = connection.execute(sa.select(ended, cost).where(trials.c.search.in_(own))).one()
    return Queued(
        row,
        None if share is None else read_share(share),
        reading.drive(connection.execute(sa.select(drives).where(held)).one()),
        int(count or 0),
        float(seconds or 0.0),
    )
