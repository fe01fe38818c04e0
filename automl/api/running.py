"""Campaigns from Python: run a study, open a campaign that has run, list them all."""

from __future__ import annotations

import builtins
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Unpack

from automl.api.campaign import Campaign
from automl.api.finding import exists, find_campaign, open_ledger, store_of, study_path
from automl.api.keys import RunKeys, StoreLike, check_names
from automl.api.study import Study
from automl.campaign import Wanted, run_campaign
from automl.config import resolve, secret_values, warnings
from automl.progress import progress_for


def run(study: Study | Mapping[str, Any] | str | Path, **keys: Unpack[RunKeys]) -> Campaign:
    """Bring a study's latest campaign up to what it asks for, or start the first one, as `automl run` does.

    `study`: a file, the name of a shipped study, its keys in a dict, or an `automl.Study`. The arguments are
    those of `automl.api.keys.RunKeys`. Ctrl-C at any time: the same call goes on. Raises `UserError` for
    mistakes, before anything is created, and `RunError` for a campaign in which no trial had a result.
    """
    check_names(keys, RunKeys)
    began, trust = time.monotonic(), keys.get("trust", False)
    store = store_of(keys.get("store"))  # once: an objective may change the working folder
    if isinstance(study, str | Path):
        study = Study.load(study_path(str(study)), trust=trust)
    elif not isinstance(study, Study):
        study = Study.of(study, trust=trust)
    progress = progress_for(keys.get("progress", "auto"))
    for line in notes(study):
        progress.message(line)
    name = run_campaign(study.checked, store=store, wanted=wanted(keys), progress=progress, began=began)
    campaign = Campaign(name, store)
    campaign.check_found()
    return campaign


def wanted(keys: RunKeys) -> Wanted:
    """What a run is asked for besides its study."""
    return Wanted(fresh=keys.get("fresh", False), changed="accept" if keys.get("accept") else "refuse")


def notes(study: Study) -> builtins.list[str]:
    """What should be known before it runs."""
    lines = [*warnings(Path(study.checked.source)), *secret_values(resolve(study.checked))]
    for name in study.untold:
        lines.append(
            f"warning: the objective uses {name}, whose content is no part of the campaign's identity: "
            "where it has changed, run with fresh=True"
        )
    return lines


def open(name: str, *, store: StoreLike | None = None) -> Campaign:
    """A campaign by its id, its label, or the latest one of a study (by its name or its file).

    Raises `UserError` when the store has none of that name.
    """
    with open_ledger(store_of(store)) as (place, ledger):
        return Campaign(find_campaign(ledger, name).id, place)


def campaigns(study: str | None = None, *, store: StoreLike | None = None) -> list[Campaign]:
    """All campaigns of a store, or of a study, the oldest first; none where there is no store yet."""
    place = store_of(store)
    if not exists(place):
        return []
    with open_ledger(place) as (_, ledger):
        rows = sorted(ledger.campaigns(study), key=lambda row: row.created_at)
        return [Campaign(row.id, place) for row in rows]
