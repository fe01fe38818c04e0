"""Notices: what is owed to the targets of a study, and what became of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add the table `notices`."""
    op.create_table(
        "notices",
        sa.Column("message", sa.Text, primary_key=True),
        sa.Column("target", sa.Text, primary_key=True),
        sa.Column("study", sa.Text, nullable=False),
        sa.Column("campaign", sa.Text, sa.ForeignKey("campaigns.id")),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("done_at", sa.Float),
        sa.Column("reason", sa.Text),
    )
    op.create_index("ix_notices_campaign", "notices", ["campaign"])
