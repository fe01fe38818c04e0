"""What campaigns that were deleted forbid: to be driven while they vanish, and their numbers to others."""

from __future__ import annotations

import sqlalchemy as sa

from automl.contracts import RunError
from automl.ledger.tables import deletions


def last_deleted(connection: sa.Connection, study: str) -> int:
    """The highest number that a deleted campaign of a study had; 0 for none."""
    query = sa.select(sa.func.max(deletions.c.number)).where(deletions.c.study == study)
    return int(connection.scalar(query) or 0)


def refuse_deleted(connection: sa.Connection, campaign: str) -> None:
    """Raise `RunError` when the deletion of a campaign has begun."""
    if connection.scalar(sa.select(deletions.c.at).where(deletions.c.campaign == campaign)) is not None:
        raise RunError(
            f"{campaign} is being deleted; nothing was changed; finish it: automl delete {campaign}"
        )
