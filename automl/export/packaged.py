"""The folder of a registered model: what its training left, and the certificate it is used with."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from automl.contracts import UserError
from automl.export.served import serve
from automl.export.winner import write_winner

if TYPE_CHECKING:
    from automl.export.winner import Winner

CERTIFICATE: Final = "winner.yaml"
_DRAFT: Final = ".draft-"


def package(winner: Winner, model: Path | None, output: Path, *, trial: str = "") -> None:
    """Write the folder `output`, whole or not at all; one that is there stays as it is.

    `model`: what the training `trial` has left; None for a configuration alone. One process at a time may
    write below one folder. Raises `UserError` when it cannot be written.
    """
    if output.is_dir():
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        for left in output.parent.glob(f"{_DRAFT}*"):  # by a process that was killed
            shutil.rmtree(left)
        draft = Path(tempfile.mkdtemp(prefix=_DRAFT, dir=output.parent))
        if model is not None:
            shutil.copytree(model, draft, dirs_exist_ok=True)
            serve(draft, winner, trial)
        write_winner(winner, draft / CERTIFICATE)
        draft.rename(output)
    except OSError as error:
        raise UserError(f"{output}: must be a folder that can be written, but: {error}") from error
