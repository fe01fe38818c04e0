"""The folder that holds a fitted table: what fits it again, and the model where new rows can be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import numpy as np

from automl.checkpoints import write_atomically
from automl.contracts import Json, Split, Task, UserError
from automl.tables import saved
from automl.tables.ensembles import Ensemble
from automl.tables.model import TableModel, predicted

FORMAT: Final = 1


def keep_model(model: TableModel | Ensemble, task: Task, described: Json, folder: Path) -> None:
    """Write a fitted model, and what it takes to fit it again."""
    folder.mkdir(parents=True, exist_ok=True)
    if task.reading is not None:
        reading = saved.Described(task.reading, task.labels, described.get("threshold"))
        saved.save(model, reading, folder)
    text = json.dumps({**described, "format": FORMAT, "task": task.digest}, indent=1)
    write_atomically(folder / "config.json", text.encode())


def predicted_by(folder: Path, data: Split, classes: int) -> np.ndarray | None:
    """Predictions of the fitted model in `folder`; None when none was kept, or it cannot be read here."""
    if not (folder / saved.FITTED).is_file():
        return None
    try:
        fitted, _ = saved.load(folder)
    except UserError:
        return None
    return predicted(fitted, data.x, classes)


def description(folder: Path, task: Task) -> Json:
    """What fits the model in `folder` again. Raises `UserError` without, and for one of other data."""
    try:
        described: Json = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        text = f"a model folder must hold config.json, but {folder}: {error}; train it again"
        raise UserError(text) from error
    if described["task"] != task.digest:
        text = "a pipeline must be scored on the data it was fitted on, but their digests differ: "
        raise UserError(f"{text}{described['task']} and {task.digest}; train it again")
    return described
