"""The authoritative record of every campaign, search and trial, behind one class."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from automl.ledger.attempts import Attempts
from automl.ledger.batches import Batches
from automl.ledger.bindings import Bindings
from automl.ledger.bulk import BulkWrites
from automl.ledger.campaigns import Campaigns
from automl.ledger.database import Database
from automl.ledger.deletions import Deletions
from automl.ledger.files import sqlite_file
from automl.ledger.firings import Firings
from automl.ledger.growing import Growing
from automl.ledger.memories import Memories
from automl.ledger.notices import Notices
from automl.ledger.promotions import Promotions
from automl.ledger.queue import Queue
from automl.ledger.quotas import Quotas
from automl.ledger.references import References
from automl.ledger.results import Results
from automl.ledger.schedules import Schedules
from automl.ledger.searches import Searches
from automl.ledger.shares import Shares
from automl.ledger.store import Store
from automl.ledger.trials import Trials, report_statement


class Ledger(
    Campaigns,
    Growing,
    Searches,
    Trials,
    Attempts,
    Batches,
    BulkWrites,
    Schedules,
    Firings,
    Bindings,
    Deletions,
    References,
    Memories,
    Promotions,
    Notices,
    Results,
    Shares,
    Quotas,
    Queue,
):
    """Our tables, opened, of a store that exists. May be shared by threads; every method is one transaction.

    A lock or a restarting server is waited for up to a minute; then a method raises `RunError`, and
    nothing is lost that a method has returned from.
    """

    def __init__(self, store: Store) -> None:
        file = sqlite_file(store.url)
        if file is not None and not file.exists():  # SQLite would create it, without any tables
            raise RuntimeError(f"{file} does not exist: automl.storage creates a store and opens its ledger")
        self._db = Database(store.url)
        self._held = {}
        self._report = report_statement(self._db.dialect)

    def close(self) -> None:
        """Close all connections."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
