"""The names of runs: the same for the same thing of a ledger, whoever writes them, and however often."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from automl.ledger.rows import CampaignRow

_SPACE: Final = uuid.UUID("6b0f2a52-7f5c-5c3c-9a51-6f1d6c2b7d11")


def run_uid(began: float, identity: str) -> str:
    """The 32 hex digits that name the run of `identity`, unique among ledgers.

    `began`: POSIX seconds at which its campaign was created.
    """
    return uuid.uuid5(_SPACE, f"{began!r}/{identity}").hex


def campaign_name(campaign: CampaignRow) -> str:
    """The name of a campaign's run: its id, behind its label if it has one."""
    return f"{campaign.label} ({campaign.id})" if campaign.label else campaign.id


def run_name(campaign: CampaignRow, identity: str, dataset: str | None = None) -> str:
    """The name of a run: `tpe/0 · nightly-12` for a search, `tpe/0/7 · nightly-12` for a trial.

    `dataset`: of a trial on another one than its study's, `tpe/0/transfer-2 on wine · nightly-12`.
    """
    if identity == campaign.id:
        return campaign_name(campaign)
    place = "" if dataset is None else f" on {dataset}"
    return f"{identity.removeprefix(f'{campaign.id}/')}{place} · {campaign.id}"
