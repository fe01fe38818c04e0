"""Whose code `automl train` runs: a file that somebody sent may name any folder of this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from automl import plugins
from automl.contracts import UserError
from automl.export.signing import Maker, maker
from automl.export.winner import Winner

if TYPE_CHECKING:
    from automl.ledger.store import Store


def check_trust(winner: Winner, path: Path, store: Store) -> None:
    """Raise `UserError` when the file `path` names code in a folder that it must not name.

    What this store signed may name the folder of its study. Any file may name installed packages, plug-ins
    of `AUTOML_PLUGINS` and code in its own folder.
    """
    code = sorted(
        set(
            _references(
                [winner.task.dataset, winner.space.name, winner.training.options, winner.training.name]
            )
        )
    )
    if not code or maker(winner, store) is Maker.THIS_STORE:
        return
    own = [
        path.resolve().parent,
        *map(Path, filter(None, os.environ.get(plugins.FOLDERS, "").split(os.pathsep))),
    ]
    foreign = [
        folder
        for folder in winner.import_path
        if Path(folder).is_dir()
        and not any(Path(folder).resolve().is_relative_to(one.resolve()) for one in own)
    ]
    if foreign:
        raise UserError(
            f"{path}: code must come from installed packages, the file's own folder or {plugins.FOLDERS}, as "
            f"this store has not signed the file (signed by: {maker(winner, store)}), but it names "
            f"{', '.join(code)} in {', '.join(foreign)}; look at that code, then run again with --trust"
        )


def _references(value: object) -> Iterator[str]:
    """All `package.module:attribute` in nested values."""
    if isinstance(value, str) and plugins.REFERENCE.fullmatch(value):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _references(inner)
