"""What campaigns remember of earlier ones: written when a campaign is created, never changed."""

from __future__ import annotations

import sqlalchemy as sa

from automl.contracts import CampaignMemory
from automl.ledger import reading
from automl.ledger.database import Database
from automl.ledger.tables import memories


class Memories:
    """The part of the ledger about memories."""

    _db: Database

    def memory(self, campaign: str) -> CampaignMemory | None:
        """What a campaign remembers; None for nothing."""
        query = sa.select(memories).where(memories.c.campaign == campaign)

        def work(connection: sa.Connection) -> CampaignMemory | None:
            row = connection.execute(query).one_or_none()
            return None if row is None else CampaignMemory.from_json(reading.memory(row).content)

        return self._db.read(work)


def keep_memory(connection: sa.Connection, campaign: str, memory: CampaignMemory) -> None:
    """Write what a new campaign remembers."""
    connection.execute(sa.insert(memories), {"campaign": campaign, "content": memory.to_json()})
