"""Reports without a value: metrics of a step that is not the trial's own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Let `reports.value` be null; SQLite can only do so by copying the table."""
    with op.batch_alter_table("reports") as table:
        table.alter_column("value", existing_type=sa.Float, nullable=True)
