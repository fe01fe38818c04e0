"""What MLflow has of campaigns, as the ledger notes it."""

from __future__ import annotations

import sqlalchemy as sa

from automl.contracts import TrialState
from automl.ledger.database import Database
from automl.ledger.tables import campaigns, searches, trials


class Recorded:
    """The part of the ledger about what MLflow has of campaigns."""

    _db: Database

    def forget_records(self) -> bool:
        """Note that MLflow has nothing of any campaign (any more); whether it had something."""

        def work(connection: sa.Connection) -> bool:
            kept = (campaigns, searches, trials)
            updates = [sa.update(table).where(table.c.recorded > 0).values(recorded=0) for table in kept]
            return sum(connection.execute(update).rowcount for update in updates) > 0

        return self._db.write(work)

    def recorded_campaigns(self, limit: int) -> list[tuple[str, float]]:
        """The newest campaigns of which MLflow has something: their ids and beginnings (POSIX seconds)."""
        query = sa.select(campaigns.c.id, campaigns.c.created_at).where(campaigns.c.recorded > 0)
        query = query.order_by(campaigns.c.created_at.desc()).limit(limit)
        return self._db.read(
            lambda connection: [(row.id, row.created_at) for row in connection.execute(query)]
        )

    def mark_campaign_recorded(self, campaign: str, value: int) -> None:
        """Note what MLflow has of a campaign: 0 nothing, 1 its start, 2 its end."""
        update = sa.update(campaigns).where(campaigns.c.id == campaign).values(recorded=value)
        self._db.write(lambda connection: connection.execute(update).rowcount)

    def mark_trials_recorded(self, campaign: str) -> None:
        """Note that MLflow has all trials of a campaign: the start of those that run, the end of others."""
        inside = trials.c.search.in_(sa.select(searches.c.id).where(searches.c.campaign == campaign))
        known = sa.case((trials.c.state == TrialState.RUNNING.value, 1), else_=2)
        update = sa.update(trials).where(inside, trials.c.recorded != known).values(recorded=known)
        self._db.write(lambda connection: connection.execute(update).rowcount)
