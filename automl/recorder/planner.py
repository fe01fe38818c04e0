"""When the statistics of a store's tables are gathered anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from automl.ledger.planner import refresh_statistics
from automl.recorder.mlflow_marker import is_sql

if TYPE_CHECKING:
    from automl.ledger.store import Store

FIRST: Final = 500  # recorded trials after which they are gathered for the first time
GROWN: Final = 4  # and again when there are so many times as many


def refresh(store: Store) -> None:
    """Gather the statistics of our tables and of MLflow's, where these are in the store. Never fails."""
    for url in (store.url, *([store.tracking_uri] if is_sql(store) else [])):
        refresh_statistics(url)


class Freshness:
    """Gathers statistics as a campaign is recorded: at 500 trials, at 2,000, at 8,000, and so on."""

    def __init__(self, store: Store) -> None:
        self._store, self._count, self._due = store, 0, FIRST

    def note(self, trials: int) -> None:
        """Note that so many further trials were recorded."""
        self._count += trials
        if self._count >= self._due:
            self._due = GROWN * self._count
            refresh(self._store)
