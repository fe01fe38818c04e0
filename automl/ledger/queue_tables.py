"""Our tables about places that several campaigns share, and about quotas. See `tables` for units."""

from __future__ import annotations

import sqlalchemy as sa

from automl.ledger.column_types import Json
from automl.ledger.tables import metadata

places = sa.Table(
    "places",  # where trials of several campaigns run: they agree here how many slots each may hold
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("rooms", Json, nullable=False),  # [CPUs, GPUs] of each machine
    sa.Column("turn", sa.Float, nullable=False),  # seconds for which a slot is worth opening there
    sa.Column("at", sa.Float, nullable=False),
)

shares = sa.Table(
    "shares",  # what each campaign asks of its place and may hold there; it counts while it has a driver
    metadata,
    sa.Column("campaign", sa.Text, sa.ForeignKey("campaigns.id"), primary_key=True),
    sa.Column("place", sa.Text, nullable=False, index=True),
    sa.Column("priority", sa.Integer, nullable=False),  # of its study
    sa.Column("asked", sa.Integer),  # another priority, which a user has asked for
    sa.Column("asked_by", sa.Text),  # user@host
    sa.Column("cpus", sa.Float, nullable=False),  # of one slot
    sa.Column("gpus", sa.Float, nullable=False),
    sa.Column("wanted", sa.Integer, nullable=False),  # slots that it could use
    sa.Column("held", sa.Integer, nullable=False),  # slots in which its trials run
    sa.Column("granted", sa.Integer, nullable=False),  # slots that it may hold
    sa.Column("service", sa.Float, nullable=False),  # seconds x part of the place / priority
    sa.Column("open_seconds", sa.Float, nullable=False),  # device-seconds of its open attempts
    sa.Column("ends_at", sa.Float),  # when its searches are expected to end
    sa.Column("waits_since", sa.Float),  # it has no slot since then, and could use one
    sa.Column("waits_for", sa.Text),  # what it waits for, where that is no slot
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("left_at", sa.Float),  # it takes part no more since then
)

quotas = sa.Table(
    "quotas",  # device-seconds that the campaigns of a study, or of a user, may use in a period
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),  # study | user
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("period", sa.Text, primary_key=True),  # day | week | month | total
    sa.Column("device_seconds", sa.Float, nullable=False),
    sa.Column("by", sa.Text, nullable=False),  # user@host
    sa.Column("at", sa.Float, nullable=False),
)

spent = sa.Table(
    "spent",  # what deleted campaigns had used: quotas count it
    metadata,
    sa.Column("campaign", sa.Text, primary_key=True),
    sa.Column("day", sa.Integer, primary_key=True),  # since 1970, in UTC
    sa.Column("study", sa.Text, nullable=False),
    sa.Column("begun_by", sa.Text),
    sa.Column("device_seconds", sa.Float, nullable=False),
)
