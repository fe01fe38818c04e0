"""Campaigns that share a place: who may hold how many slots, quotas of device time, who began a campaign."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Add `places`, `shares`, `quotas`, `spent`, `campaigns.begun_by` and an index of `attempts`."""
    op.create_table(
        "places",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("rooms", sa.Text, nullable=False),
        sa.Column("turn", sa.Float, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )
    op.create_table(
        "shares",
        sa.Column("campaign", sa.Text, sa.ForeignKey("campaigns.id"), primary_key=True),
        sa.Column("place", sa.Text, nullable=False, index=True),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("asked", sa.Integer),
        sa.Column("asked_by", sa.Text),
        sa.Column("cpus", sa.Float, nullable=False),
        sa.Column("gpus", sa.Float, nullable=False),
        sa.Column("wanted", sa.Integer, nullable=False),
        sa.Column("held", sa.Integer, nullable=False),
        sa.Column("granted", sa.Integer, nullable=False),
        sa.Column("service", sa.Float, nullable=False),
        sa.Column("open_seconds", sa.Float, nullable=False),
        sa.Column("ends_at", sa.Float),
        sa.Column("waits_since", sa.Float),
        sa.Column("waits_for", sa.Text),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("left_at", sa.Float),
    )
    op.create_table(
        "quotas",
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("period", sa.Text, primary_key=True),
        sa.Column("device_seconds", sa.Float, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )
    op.create_table(
        "spent",
        sa.Column("campaign", sa.Text, primary_key=True),
        sa.Column("day", sa.Integer, primary_key=True),
        sa.Column("study", sa.Text, nullable=False),
        sa.Column("begun_by", sa.Text),
        sa.Column("device_seconds", sa.Float, nullable=False),
    )
    op.add_column("campaigns", sa.Column("begun_by", sa.Text))
    op.create_index("ix_attempts_finished_at", "attempts", ["finished_at"])
