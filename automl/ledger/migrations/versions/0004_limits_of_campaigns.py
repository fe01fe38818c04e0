"""Limits of campaigns: the times at which each had a driver, and the limit that ended it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the table `drives` and `campaigns.reason`."""
    op.add_column("campaigns", sa.Column("reason", sa.Text))
    op.create_table(
        "drives",
        sa.Column("campaign", sa.Text, sa.ForeignKey("campaigns.id"), primary_key=True),
        sa.Column("token", sa.Integer, primary_key=True),
        sa.Column("started_at", sa.Float, nullable=False),
        sa.Column("until", sa.Float, nullable=False),
    )
