"""Details of test values: intervals, and values after so many steps of adaptation."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add `openings.details`."""
    op.add_column("openings", sa.Column("details", sa.Text))
