"""Winners that are trained on other datasets: on which one a trial was, and which test set was opened."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Add `trials.dataset` and `openings.dataset`."""
    op.add_column("trials", sa.Column("dataset", sa.Text))
    op.add_column("openings", sa.Column("dataset", sa.Text))
