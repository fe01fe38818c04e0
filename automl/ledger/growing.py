"""Campaigns that are asked for more than they have, and their searches that go on."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from automl.contracts import RunError, UserError
from automl.ledger import reading
from automl.ledger.database import Database
from automl.ledger.rows import CampaignRow, SearchRow
from automl.ledger.tables import Values, campaigns, searches


class Growing:
    """The part of the ledger that lets ended campaigns and searches go on."""

    _db: Database

    def grow_campaign(
        self,
        campaign: str,
        token: int,
        spec: Mapping[str, object],
        digest: str,
        provenance: Mapping[str, object],
    ) -> CampaignRow:
        """Ask for more of a campaign that this driver holds: it runs again, and is recorded again.

        Raises `RunError` when another driver has taken it over.
        """
        again = {"state": "running", "finished_at": None, "reason": None, "recorded": 0}
        values = {**again, "spec": spec, "digest": digest, "provenance": provenance}

        def work(connection: sa.Connection) -> CampaignRow | None:
            held = (campaigns.c.id == campaign) & (campaigns.c.token == token)
            connection.execute(sa.update(campaigns).where(held).values(values))
            row = connection.execute(sa.select(campaigns).where(held)).one_or_none()
            return None if row is None else reading.campaign(row)

        row = self._db.write(work)
        if row is None:
            raise RunError(f"{campaign} has been taken over by another process; nothing was changed")
        return row

    def reopen_search(self, search: str) -> SearchRow:
        """Let a finished search go on: its campaign has grown, or one of its limits."""
        again: Values = {
            "state": "running",
            "reason": None,
            "winner": None,
            "finished_at": None,
            "recorded": 0,
        }

        def work(connection: sa.Connection) -> SearchRow | None:
            chosen = (searches.c.id == search) & (searches.c.state == "finished")
            connection.execute(sa.update(searches).where(chosen).values(again))
            row = connection.execute(sa.select(searches).where(searches.c.id == search)).one_or_none()
            return None if row is None else reading.search(row)

        row = self._db.write(work)
        if row is None:
            raise UserError(f"a search must be in the ledger to go on, but there is no {search!r}")
        return row
