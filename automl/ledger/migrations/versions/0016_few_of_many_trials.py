"""Indexes of the few trials that run or that MLflow does not have: looked up several times a second."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
DUE = ["search", "started_at", "id", "state", "recorded"]


def upgrade() -> None:
    """Add `ix_trials_due` and `ix_trials_running` in place of `ix_trials_recorded`, which plans left out."""
    op.drop_index("ix_trials_recorded", "trials", if_exists=True)
    for name, columns, few in (
        ("ix_trials_due", DUE, sa.text("recorded < 2")),
        ("ix_trials_running", ["search", "id", "state"], sa.text("state = 'running'")),
    ):
        op.create_index(name, "trials", columns, sqlite_where=few, postgresql_where=few)
