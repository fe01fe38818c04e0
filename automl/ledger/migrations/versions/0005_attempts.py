"""The attempts of trials, each with the class of its end."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the table `attempts`."""
    op.create_table(
        "attempts",
        sa.Column("trial", sa.Text, sa.ForeignKey("trials.id"), primary_key=True),
        sa.Column("attempt", sa.Integer, primary_key=True),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("ending", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("device_seconds", sa.Float, nullable=False),
        sa.Column("host", sa.Text),
        sa.Column("started_at", sa.Float, nullable=False),
        sa.Column("finished_at", sa.Float, nullable=False),
    )
