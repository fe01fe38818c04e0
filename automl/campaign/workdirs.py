"""Working folders of trials: what is there before one starts, and what stays when it has ended."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from automl.contracts import KEPT, RunError, UserError
from automl.files import CHECKPOINTS, Leaves, drop, drop_files, shown
from automl.signs import forget_signs

AWAY: Final = 60.0  # seconds in which a storage that did not answer is not asked
_away_until = 0.0  # monotonic
_behind: Final = ThreadPoolExecutor(4, "checkpoints")


def clear(workdir: Path) -> None:
    """Remove what a campaign of this name has left whose ledger was deleted."""
    shutil.rmtree(workdir, ignore_errors=True)


def forget(workdir: str | None) -> None:
    """Remove the signs of an attempt that has ended."""
    if workdir:
        forget_signs(Path(workdir))


def remove_checkpoints(workdir: str | Path | None, storage: str | None) -> None:
    """Only trials that may win keep their checkpoints; the winner's go to MLflow.

    Those in a storage go behind the trials, so that none waits for it; `automl gc` finds what stays.
    """
    if storage:
        _behind.submit(_drop_checkpoints, storage)
    elif workdir:
        shutil.rmtree(Path(workdir) / CHECKPOINTS, ignore_errors=True)


def remove_kept(trial: Leaves) -> None:
    """Only the best trials of a search keep what may be combined; see `Evaluator.combined`."""
    if trial.storage:
        _behind.submit(_behind_trials, trial.storage, lambda: drop_files(trial, KEPT), "files")
    elif trial.workdir:
        shutil.rmtree(Path(trial.workdir) / KEPT, ignore_errors=True)


def _drop_checkpoints(storage: str) -> None:
    _behind_trials(storage, lambda: drop(storage, CHECKPOINTS), "checkpoints")


def _behind_trials(storage: str, do: Callable[[], None], what: str) -> None:
    global _away_until
    if time.monotonic() < _away_until:
        return
    try:
        do()
    except (RunError, UserError) as error:
        _away_until = time.monotonic() + AWAY
        text = "%s that nobody needs any more stay in %s: %s; `automl gc` removes them"
        logging.getLogger(__name__).warning(text, what, shown(storage), error)
