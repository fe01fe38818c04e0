"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create all tables."""
    op.create_table(
        "campaigns",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("study", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("spec", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("provenance", sa.Text, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("finished_at", sa.Float),
        sa.Column("owner", sa.Text),
        sa.Column("token", sa.Integer, nullable=False, server_default="0"),
        sa.Column("heartbeat_at", sa.Float),
        sa.Column("recorded", sa.Integer, nullable=False, server_default="0"),
        sa.UniqueConstraint("study", "number"),
    )
    op.create_table(
        "firings",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("study", sa.Text, nullable=False),
        sa.Column("slot", sa.Float, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("owner", sa.Text),
        sa.Column("lease_until", sa.Float),
        sa.Column("token", sa.Integer, nullable=False, server_default="0"),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("campaign", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("started_at", sa.Float),
        sa.Column("finished_at", sa.Float),
        sa.UniqueConstraint("study", "slot"),
    )
    op.create_table(
        "schedules",
        sa.Column("study", sa.Text, primary_key=True),
        sa.Column("file", sa.Text, nullable=False),
        sa.Column("cron", sa.Text, nullable=False),
        sa.Column("timezone", sa.Text, nullable=False),
        sa.Column("catchup", sa.Float, nullable=False),
        sa.Column("paused", sa.Boolean, nullable=False),
        sa.Column("planned_until", sa.Float, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
    )
    op.create_table(
        "searches",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("campaign", sa.Text, sa.ForeignKey("campaigns.id"), nullable=False),
        sa.Column("arm", sa.Text, nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("winner", sa.Text),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("finished_at", sa.Float),
        sa.Column("recorded", sa.Integer, nullable=False, server_default="0"),
        sa.UniqueConstraint("campaign", "arm", "seed"),
    )
    op.create_index("ix_searches_campaign", "searches", ["campaign"])
    op.create_table(
        "openings",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("search", sa.Text, sa.ForeignKey("searches.id"), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("opened_at", sa.Float, nullable=False),
        sa.Column("values", sa.Text),
    )
    op.create_index("ix_openings_search", "openings", ["search"])
    op.create_table(
        "trials",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("search", sa.Text, sa.ForeignKey("searches.id"), nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("config", sa.Text, nullable=False),
        sa.Column("derived", sa.Text),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("asked_after", sa.Integer, nullable=False),
        sa.Column("told", sa.Integer),
        sa.Column("values", sa.Text),
        sa.Column("metrics", sa.Text),
        sa.Column("attributes", sa.Text),
        sa.Column("device_seconds", sa.Float, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("traceback", sa.Text),
        sa.Column("artifacts", sa.Text),
        sa.Column("workdir", sa.Text),
        sa.Column("host", sa.Text),
        sa.Column("device", sa.Text),
        sa.Column("started_at", sa.Float, nullable=False),
        sa.Column("finished_at", sa.Float),
        sa.Column("recorded", sa.Integer, nullable=False, server_default="0"),
        sa.UniqueConstraint("search", "kind", "number"),
    )
    op.create_index("ix_trials_recorded", "trials", ["recorded", "state"])
    op.create_table(
        "reports",
        sa.Column("trial", sa.Text, sa.ForeignKey("trials.id"), primary_key=True),
        sa.Column("step", sa.BigInteger, primary_key=True),
        sa.Column("value", sa.Float, nullable=False),
        sa.Column("metrics", sa.Text),
        sa.Column("device_seconds", sa.Float, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )
