"""What users ask of campaigns from elsewhere, other names of theirs, and what remains of deleted ones."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add `requests`, `deletions` and `campaigns.label`."""
    op.create_table(
        "requests",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("campaign", sa.Text, sa.ForeignKey("campaigns.id"), nullable=False, index=True),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("wish", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("done_at", sa.Float),
        sa.Column("answer", sa.Text),
    )
    op.create_table(
        "deletions",
        sa.Column("campaign", sa.Text, primary_key=True),
        sa.Column("study", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("data", sa.Text),
        sa.Column("looks", sa.Integer, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("done_at", sa.Float),
    )
    op.add_column("campaigns", sa.Column("label", sa.Text))
