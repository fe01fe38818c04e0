"""Models that `automl train` registered, fetched from MLflow: only those that this store signed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from automl.contracts import UserError
from automl.export.signing import Maker, signer

if TYPE_CHECKING:
    from automl.ledger.store import Store


def fetch_signed(
    store: Store, name: str, to: Path, *, alias: str = "candidate", trust: bool = False
) -> tuple[Path, Maker]:
    """Copy a registered model into the folder `to`, check every file, and say who signed it.

    Whoever may write to the tracking server can change a model and its sums, but cannot sign. Raises
    `UserError` for one that this store has not signed, unless `trust`; `RunError` for changed files.
    """
    from automl.recorder.registry import fetch_model  # importing mlflow takes a second

    fetched = fetch_model(store, name, to, alias)
    found = signer(fetched.contents, fetched.signature, store)
    if found is not Maker.THIS_STORE and not trust:
        raise UserError(
            f"a model must be signed by this store to be used, but {name}@{alias} is signed by {found} (its "
            f"files are in {fetched.folder}); look where it comes from, then fetch it with trust=True"
        )
    return fetched.folder, found
