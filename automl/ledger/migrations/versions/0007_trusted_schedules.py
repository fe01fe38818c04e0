"""Schedules whose campaigns run code that their file names, wherever it is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add `schedules.trusted`: no schedule that is there was told so."""
    op.add_column("schedules", sa.Column("trusted", sa.Boolean, nullable=False, server_default=sa.false()))
