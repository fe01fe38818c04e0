"""Looks at a campaign from elsewhere, in the ledger alone: how far it is, and what has ended meanwhile."""

from automl.watching.events import Events
from automl.watching.watched import Look, Watched

__all__ = ["Events", "Look", "Watched"]
