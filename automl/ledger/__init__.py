"""The ledger: our SQL tables, the authoritative record of every trial."""

from automl.ledger.interrupts import as_interrupts, ends_with_terminal
from automl.ledger.ledger import Ledger
from automl.ledger.notices import NoticeRow
from automl.ledger.owner import owner_identity, this_host, user_name
from automl.ledger.queue import Queued
from automl.ledger.quotas import PERIODS, Quota, Usage
from automl.ledger.requests import Asked
from automl.ledger.rows import (
    STOPPED,
    AttemptRow,
    CampaignRow,
    DriveRow,
    NewTrial,
    OpeningRow,
    ReportRow,
    SearchRow,
    TrialRow,
    TrialSummary,
)
from automl.ledger.schedule_rows import FiringRow, ScheduleRow
from automl.ledger.share_rows import Agreed, Asks, Place, ShareRow
from automl.ledger.store import Store, resolve_store
from automl.ledger.winners import of_kind, retrainings, transfers, winner_opening
from automl.ledger.wishes import RequestRow, Wish, Wishes

__all__ = [
    "PERIODS",
    "STOPPED",
    "Agreed",
    "Asked",
    "Asks",
    "AttemptRow",
    "CampaignRow",
    "DriveRow",
    "FiringRow",
    "Ledger",
    "NewTrial",
    "NoticeRow",
    "OpeningRow",
    "Place",
    "Queued",
    "Quota",
    "ReportRow",
    "RequestRow",
    "ScheduleRow",
    "SearchRow",
    "ShareRow",
    "Store",
    "TrialRow",
    "TrialSummary",
    "Usage",
    "Wish",
    "Wishes",
    "as_interrupts",
    "ends_with_terminal",
    "of_kind",
    "owner_identity",
    "resolve_store",
    "retrainings",
    "this_host",
    "transfers",
    "user_name",
    "winner_opening",
]
