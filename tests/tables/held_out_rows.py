"""What a model says of the rows that folds held out, as trials keep it."""

from __future__ import annotations

import numpy as np

from automl.contracts import Config, Task
from automl.tables.folds import folds
from automl.tables.model import TableModel


def held_out(given: Task, config: Config, count: int) -> np.ndarray:
    """The predictions, fold after fold, each by a model of the other rows."""
    x, y = given.train.x, given.train.y
    parts = [
        TableModel(config, given.classes, 0).fit(x.iloc[fit], y[fit]).predict(x.iloc[held])
        for fit, held in folds(given, count)
    ]
    return np.concatenate(parts).astype(np.float32)
