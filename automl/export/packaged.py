"""The folder of a registered model: what its training left, and the certificate it is used with."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from automl.contracts import Direction, TrialState, UserError
from automl.export.winner import write_winner
from automl.ledger.winners import retrainings

if TYPE_CHECKING:
    from automl.export.winner import Winner
    from automl.ledger import Ledger, TrialRow

CERTIFICATE: Final = "winner.yaml"
_DRAFT: Final = ".draft-"


def best_retraining(ledger: Ledger, winner: Winner) -> TrialRow | None:
    """Of a winner's complete retrainings the one that is best on validation data; None without any."""
    certificate = winner.certificate
    finals = [
        trial
        for trial in retrainings(winner.trained, ledger.trials(search=certificate.search))
        if trial.state is TrialState.COMPLETE and trial.values
    ]
    sign = 1 if Direction(certificate.direction) is Direction.MAXIMIZE else -1
    return max(finals, key=lambda trial: sign * trial.values[0] if trial.values else 0.0, default=None)


def package(winner: Winner, model: Path | None, output: Path) -> None:
    """Write the folder `output`, whole or not at all; one that is there stays as it is.

    `model`: what a training left; None for a configuration alone. One process at a time may write below one
    folder. Raises `UserError` when it cannot be written.
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
        write_winner(winner, draft / CERTIFICATE)
        draft.rename(output)
    except OSError as error:
        raise UserError(f"{output}: must be a folder that can be written, but: {error}") from error
