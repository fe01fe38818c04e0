"""Deletes a campaign: runs in MLflow, working and stored files, rows. A killed deletion is finished later."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from automl.contracts import RunError
from automl.ledger import CampaignRow, Ledger, Store
from automl.upkeep.asking import user
from automl.upkeep.sizes import size_of
from automl.upkeep.stored import delete_stored


@dataclass(frozen=True)
class Deleted:
    """What was deleted. `rows`: of the ledger; `looks`: at its test set, which stay counted; `models`: kept.

    `in_trash`: MLflow's server holds the runs in its trash.
    """

    campaign: str
    rows: int
    runs: int
    bytes: int
    looks: int
    in_trash: bool
    models: tuple[str, ...]


def check_deletable(ledger: Ledger, campaign: CampaignRow) -> None:
    """Raise `RunError` while a process drives a campaign."""
    if ledger.is_driven(campaign):
        raise RunError(
            f"{campaign.id} cannot be deleted while {campaign.owner} drives it; nothing was deleted; stop it "
            f"first: automl stop {campaign.id}"
        )


def delete(store: Store, ledger: Ledger, campaign: CampaignRow) -> Deleted:
    """Delete all of a campaign. May be repeated: its rows go last, so that the same name finds the rest.

    Raises `RunError` while a process drives it, or when MLflow or its storage is away.
    """
    from automl.recorder.erasing import erase_campaign  # importing mlflow takes a second

    deletion = ledger.begin_deletion(campaign.id, user())
    erased = erase_campaign(store, campaign)
    folder = work_folder(store, campaign.id)
    size = size_of(folder) + delete_stored(ledger, campaign)
    shutil.rmtree(folder, ignore_errors=True)
    rows = ledger.delete_rows(campaign.id)
    return Deleted(
        campaign=campaign.id,
        rows=sum(rows.values()),
        runs=erased.runs,
        bytes=size,
        looks=deletion.looks,
        in_trash=not erased.for_good,
        models=erased.models,
    )


def work_folder(store: Store, campaign: str) -> Path:
    """Where the trials of a campaign work."""
    return store.folder / "work" / campaign
