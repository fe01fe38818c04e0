"""Whose code `automl train` runs: a file that somebody sent may name any folder of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from automl import origins
from automl.contracts import UserError
from automl.export.signing import Maker, maker
from automl.export.winner import Winner

if TYPE_CHECKING:
    from automl.ledger.store import Store


def check_trust(winner: Winner, path: Path, store: Store) -> None:
    """Raise `UserError` when the file `path` names code in a folder that it must not name.

    Any file may name code in its own folder, in installed packages and in the folders of `AUTOML_PLUGINS`.
    What this store signed may also name the folder of its study.
    """
    signed_by = maker(winner, store)
    own = [path.resolve().parent, *(map(Path, winner.import_path) if signed_by is Maker.THIS_STORE else ())]
    code = {
        reference
        for _, reference in origins.references(
            [winner.task.dataset, winner.space.name, winner.training.options, winner.training.name]
        )
    }
    for reference in sorted(code):
        text = origins.refusal(reference, own, [*winner.import_path, str(own[0])])
        if text is not None:
            raise UserError(
                f"{path}: code {text} (the file is signed by: {signed_by}); look at that code, then run "
                "again with --trust"
            )
