"""The ledger: our SQL tables, the truth about every trial."""

from automl.ledger.ledger import Ledger
from automl.ledger.owner import owner_identity
from automl.ledger.rows import CampaignRow, OpeningRow, ReportRow, SearchRow, TrialRow
from automl.ledger.store import Store, prepare, resolve_store, upgrade

__all__ = [
    "CampaignRow",
    "Ledger",
    "OpeningRow",
    "ReportRow",
    "SearchRow",
    "Store",
    "TrialRow",
    "owner_identity",
    "prepare",
    "resolve_store",
    "upgrade",
]
