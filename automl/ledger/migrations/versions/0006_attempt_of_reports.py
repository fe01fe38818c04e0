"""The attempt of a trial that made a report: what a killed one has cost is no comparison of two clocks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add `reports.attempt`; for trials that are open, it is told by the times of one driver."""
    op.add_column("reports", sa.Column("attempt", sa.Integer))
    op.execute(
        "UPDATE reports SET attempt = (SELECT trials.attempt FROM trials WHERE trials.id = reports.trial "
        "AND trials.started_at <= reports.at) WHERE trial IN (SELECT id FROM trials WHERE state = 'running')"
    )
