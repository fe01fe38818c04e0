"""What an opening of the test set scored: the winner of a search that grows may be another one later."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add `openings.trials`; null in those that are there: no search had grown."""
    op.add_column("openings", sa.Column("trials", sa.Text))
