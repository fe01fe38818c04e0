"""What campaigns remember of earlier ones, fixed when they are created."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the table `memories`."""
    op.create_table(
        "memories",
        sa.Column("campaign", sa.Text, sa.ForeignKey("campaigns.id"), primary_key=True),
        sa.Column("content", sa.Text, nullable=False),
    )
