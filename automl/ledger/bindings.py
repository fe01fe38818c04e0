"""Which campaign is that of a firing: fixed once, in the transaction that creates or adopts it."""

from __future__ import annotations

import sqlalchemy as sa

from automl.contracts import RunError
from automl.ledger import reading
from automl.ledger.database import Database
from automl.ledger.rows import CampaignRow
from automl.ledger.tables import campaigns, firings


class Bindings:
    """The part of the ledger about the campaigns of firings."""

    _db: Database

    def campaign_of_firing(self, firing: int) -> CampaignRow | None:
        """The campaign that a firing is bound to."""
        bound = sa.select(firings.c.campaign).where(firings.c.id == firing).scalar_subquery()
        query = sa.select(campaigns).where(campaigns.c.id == bound)

        def work(connection: sa.Connection) -> CampaignRow | None:
            row = connection.execute(query).one_or_none()
            return None if row is None else reading.campaign(row)

        return self._db.read(work)

    def adopt_campaign(self, firing: int, campaign: str) -> None:
        """Make an interrupted campaign that of a firing. Raises `RunError` when the firing has another."""
        self._db.write(lambda connection: bind(connection, firing, campaign))


def bind(connection: sa.Connection, firing: int, campaign: str) -> None:
    """Make a campaign that of a running firing which has none. Raises `RunError` for any other firing."""
    chosen = firings.c.id == firing
    free = chosen & (firings.c.state == "running") & firings.c.campaign.is_(None)
    if connection.execute(sa.update(firings).where(free).values(campaign=campaign)).rowcount:
        return
    row = connection.execute(sa.select(firings).where(chosen)).one_or_none()
    if row is not None and row.state == "running" and row.campaign == campaign:
        return  # the first try was committed after all
    found = "is unknown" if row is None else f"is {row.state} with campaign {row.campaign or '(none)'}"
    raise RunError(
        f"a firing must be running and without a campaign to start one, but firing {firing} {found}; "
        "nothing was started"
    )
