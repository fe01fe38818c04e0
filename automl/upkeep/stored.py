"""What campaigns have in storages: found by the ledger's rows, removed with them or as leftovers."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from automl.contracts import TrialState
from automl.files import CHECKPOINTS, Folder
from automl.ledger import CampaignRow, Ledger, TrialRow

_TRIAL: Final = re.compile(r"(?P<campaign>.*/(?P<name>[^/?]+))/[^/?]+/[^/?]+(?P<query>\?.*)?")
_FILE: Final = re.compile(rf"(?P<trial>[^/]+/[^/]+)/(?:(?P<states>{CHECKPOINTS})|objects)/(?P<name>[^/]+)")


@dataclass(frozen=True)
class Spare:
    """A file that nobody needs any more: its name in the folder of its campaign, and its bytes."""

    folder: Folder
    name: str
    size: int


def folders_of(campaign: str, trials: Iterable[TrialRow]) -> list[Folder]:
    """The folders of a campaign in storages: several when it has changed its storage."""
    found = (_TRIAL.fullmatch(trial.storage) for trial in trials if trial.storage)
    urls = {
        f"{match['campaign']}{match['query'] or ''}"
        for match in found
        if match and match["name"].startswith(f"{campaign}-")  # nothing else is ever removed
    }
    return [Folder(url) for url in sorted(urls)]


def delete_stored(ledger: Ledger, campaign: CampaignRow) -> int:
    """Remove all that a campaign has in storages; its bytes. May be repeated.

    Raises `StorageError` when one stays away.
    """
    size = 0
    for folder in folders_of(campaign.id, ledger.trials(campaign=campaign.id)):
        size += sum(entry.size for entry in folder.entries())
        folder.clear()
    return size


def spare_files(ledger: Ledger) -> dict[str, list[Spare]]:
    """Of campaigns that are finished and that nobody drives, by kind: what no trial needs any more.

    Raises `StorageError` when a storage stays away.
    """
    found: defaultdict[str, list[Spare]] = defaultdict(list)
    for row in ledger.campaigns():
        if row.state == "finished" and not ledger.is_driven(row):
            for kind, spare in _of_campaign(ledger, row):
                found[kind].append(spare)
    return found


def _of_campaign(ledger: Ledger, row: CampaignRow) -> Iterator[tuple[str, Spare]]:
    winners = {search.winner for search in ledger.searches(row.id)}
    trials = {
        "/".join(trial.storage.partition("?")[0].split("/")[-2:]): trial
        for trial in ledger.trials(campaign=row.id)
        if trial.storage
    }
    for folder in folders_of(row.id, trials.values()):
        for entry in folder.entries():
            match = _FILE.fullmatch(entry.name)
            trial = trials.get(match["trial"]) if match else None
            if match is None or trial is None or trial.state is TrialState.RUNNING:
                continue
            spare = Spare(folder, entry.name, entry.size)
            if match["states"] and trial.id not in winners:
                yield "stored checkpoints of trials that did not win", spare
            elif not match["states"] and match["name"] not in _listed(trial):
                yield "stored files of attempts that were lost", spare


def _listed(trial: TrialRow) -> set[str]:
    return {one.sha256 for one in (trial.files or {}).values()}
