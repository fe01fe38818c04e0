"""Working folders of trials: what is there before one starts, and what stays when it has ended."""

from __future__ import annotations

import shutil
from pathlib import Path

from automl.signs import forget_signs


def clear(workdir: Path) -> None:
    """Remove what a campaign of this name has left whose ledger was deleted."""
    shutil.rmtree(workdir, ignore_errors=True)


def forget(workdir: str | None) -> None:
    """Remove the signs of an attempt that has ended."""
    if workdir:
        forget_signs(Path(workdir))


def remove_checkpoints(workdir: str | Path | None) -> None:
    """Only trials that may win keep their checkpoints; the winner's go to MLflow."""
    if workdir:
        shutil.rmtree(Path(workdir) / "checkpoints", ignore_errors=True)
