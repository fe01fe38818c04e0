"""What nobody needs any more: found first, with sizes, then removed. Nothing that a living driver uses.

A folder may be that of several ledgers, as one of SQLite and one in PostgreSQL. What this ledger does not
know may be another one's, so that it is only told unless all is asked for.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from automl.contracts import TrialState
from automl.ledger import CampaignRow, Ledger, Store
from automl.ledger.owner import is_alive, is_same_host
from automl.storage import refresh_statistics
from automl.upkeep.sizes import size_of
from automl.upkeep.stored import spare_files


@dataclass(frozen=True)
class Leftover:
    """One kind of what is left: `what` in words, how many, their bytes. `kept`: it is told only."""

    what: str
    count: int
    bytes: int
    kept: bool = False


def clear(store: Store, ledger: Ledger, *, dry: bool, unknown: bool = False) -> list[Leftover]:
    """Find what is left over, and remove it unless `dry`. Raises `RunError` when MLflow or a storage is away.

    `unknown`: remove also what this ledger and its MLflow do not know, since no other is in the folder.
    """
    deleted = {row.campaign for row in ledger.deletions()}
    folders = list(_work_folders(store, ledger))
    own = [folder for folder in folders if folder.name in deleted]
    foreign = [folder for folder in folders if folder.name not in deleted]
    found = [
        _remove("work folders of deleted campaigns", own, dry=dry),
        _remove("work folders of campaigns that are not there", foreign, dry=dry, kept=not unknown),
        _remove("checkpoints of trials that did not win", list(_checkpoints(ledger)), dry=dry),
        _remove("uploads of processes that died", list(_staged(store)), dry=dry),
        *_of_storages(ledger, dry=dry),
        *_of_mlflow(store, dry=dry, unknown=unknown),
    ]
    if not dry:
        refresh_statistics(store)
    return found


def _of_storages(ledger: Ledger, *, dry: bool) -> Iterator[Leftover]:
    for what, files in spare_files(ledger).items():
        for file in files if not dry else ():
            file.folder.remove(file.name)
        yield Leftover(what, len(files), sum(file.size for file in files))


def _of_mlflow(store: Store, *, dry: bool, unknown: bool) -> list[Leftover]:
    from automl.recorder import leftovers  # importing mlflow takes a second
    from automl.recorder.mlflow_marker import is_sql

    if not is_sql(store):
        return []  # a server keeps its trash and its files itself
    found = leftovers.orphaned_artifacts(store)
    orphans = _remove("artifacts without a run", found, dry=dry, kept=not unknown)
    runs = leftovers.trashed_runs(store)
    size = sum(size_of(path) for run in runs if (path := leftovers.artifacts_of(run)) is not None)
    if runs and not dry:
        leftovers.erase_trashed(store, runs)
    return [orphans, Leftover("runs in MLflow's trash", len(runs), size)]


def _remove(what: str, paths: list[Path], *, dry: bool, kept: bool = False) -> Leftover:
    size = sum(map(size_of, paths))
    for path in paths if not (dry or kept) else ():
        shutil.rmtree(path, ignore_errors=True)
    return Leftover(what, len(paths), size, kept and bool(paths))


def _work_folders(store: Store, ledger: Ledger) -> Iterator[Path]:
    """Folders are listed before campaigns: one that is made meanwhile has its campaign already."""
    work = store.folder / "work"
    folders = [entry for entry in sorted(work.iterdir()) if entry.is_dir()] if work.is_dir() else []
    known = {row.id for row in ledger.campaigns()}
    yield from (entry for entry in folders if entry.name not in known)


def _checkpoints(ledger: Ledger) -> Iterator[Path]:
    """Of campaigns that are finished and that nobody drives; an interrupted one goes on from its own."""
    for row in ledger.campaigns():
        if row.state == "finished" and not ledger.is_driven(row):
            yield from _of_losers(ledger, row)


def _of_losers(ledger: Ledger, row: CampaignRow) -> Iterator[Path]:
    winners = {search.winner for search in ledger.searches(row.id)}
    for trial in chain.from_iterable(ledger.trial_pages(row.id)):
        if trial.id in winners or trial.workdir is None or trial.state is TrialState.RUNNING:
            continue
        folder = Path(trial.workdir) / "checkpoints"
        if folder.is_dir():
            yield folder


def _staged(store: Store) -> Iterator[Path]:
    staging = store.folder / "staging"
    for entry in sorted(staging.iterdir()) if staging.is_dir() else ():
        owner = entry.name.rpartition("-")[0]
        if is_same_host(owner) and not is_alive(owner):
            yield entry
