"""Names that users write: of stores, studies and campaigns. For commands and programs alike.

Rooms are imported when a function runs, since commands must start quickly.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from automl.config.document import nearest
from automl.contracts import UserError

if TYPE_CHECKING:
    from automl.ledger import CampaignRow, Ledger, Store


def store_of(named: Store | str | Path | None) -> Store:
    """The store of a program's `store=`: a folder, a PostgreSQL address, or by default the environment's."""
    # SQLAlchemy takes a while to import
    from automl.ledger import Store, resolve_store

    if named is None:
        return resolve_store()
    return named if isinstance(named, Store) else resolve_store({**os.environ, "AUTOML_STORE": str(named)})


def study_path(name: str) -> Path:
    """The file called `name`, or the shipped study of that name."""
    path = Path(name)
    if not path.exists() and name in (shipped := shipped_studies()):
        return shipped[name]
    return path


def shipped_studies() -> dict[str, Path]:
    """The study files of this package by name."""
    folder = Path(str(resources.files("automl.studies")))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def exists(store: Store) -> bool:
    """Whether there may be a campaign in it: a file that is there, or a server."""
    return not store.url.startswith("sqlite") or (store.folder / "ledger.db").exists()


@contextlib.contextmanager
def open_ledger(store: Store | None = None) -> Iterator[tuple[Store, Ledger]]:
    """The store (by default that of the environment) and its ledger.

    Creates nothing; raises `UserError` when the store does not exist.
    """
    # the ledger and MLflow take a while to import
    from automl import storage

    store = store_of(store)
    if not exists(store):
        text = f"a store must hold a campaign to be read, but there is none in {store.folder}"
        raise UserError(f"{text}; start one with: automl run quickstart, or set AUTOML_STORE")
    with storage.open_ledger(store) as ledger:
        yield store, ledger


def find_campaign(ledger: Ledger, name: str) -> CampaignRow:
    """The campaign of that id or label, or the latest of that study. Raises `UserError` for none."""
    study = study_name(name)
    campaign = ledger.latest(study) or ledger.campaign(study)
    if campaign is None:
        campaigns = ledger.campaigns()
        for row in campaigns:
            if row.label == study:
                return row
        known = dict.fromkeys([row.study for row in campaigns] + [row.id for row in campaigns])
        raise UserError(
            f"NAME must be a study or campaign that has run, but got {study!r}; {nearest(study, known)}"
        )
    return campaign


def study_name(name: str) -> str:
    """`name`, or the study's name in the file of that name."""
    if not name.endswith((".yaml", ".yml")) and not Path(name).is_file():
        return name
    # PyYAML takes a while to import
    from automl.config import yamlfile

    data = yamlfile.read(Path(name)).data
    if not isinstance(data, dict) or not isinstance(data.get("name"), str):
        raise UserError(f"{name}: a study file must have a name, but got none; see automl check {name}")
    return str(data["name"])
