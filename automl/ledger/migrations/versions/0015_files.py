"""Files that trials leave in a storage: where they are, what they are, and whether a model is lost."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Add `trials.storage`, `trials.files` and `trials.lost`."""
    for name in ("storage", "files", "lost"):
        op.add_column("trials", sa.Column(name, sa.Text))
