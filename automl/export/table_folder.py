"""What a table model's folder holds: a module that predicts new rows, and needs its libraries alone."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.data.reading.rows import feature_columns
from automl.export.source import TABLES, Flattened
from automl.tables.conformal import Calibration, calibrated, read_calibration
from automl.tables.deciding import decided
from automl.tables.model import predicted
from automl.tables.saved import Described, load

if TYPE_CHECKING:
    from automl.export.winner import Winner

_MODULE = '''\
"""{title}

    from model import load_model
    model = load_model()
    predictions = model(rows)    # a DataFrame with the columns of the table that it was made from
    intervals = model(rows, interval=0.9)    # of numbers with `lower` and `upper`, of classes with `set`

`model.skops` holds the fitted pipeline, `table.json` how rows are read, `requirements.txt` the
libraries that it needs, in the versions that fitted it.
"""

from __future__ import annotations

{body}


# --- loading ---
FOLDER = Path(__file__).resolve().parent


def load_model(folder: str | Path = FOLDER) -> TableModelOfFolder:
    """The fitted table: called with a DataFrame of rows, it gives one of predictions."""
    return TableModelOfFolder(Path(folder))
'''


class TableModelOfFolder:
    """A fitted table: rows in, predictions out."""

    def __init__(self, folder: Path) -> None:
        self.fitted, self.described = load(folder)
        self.calibration = read_calibration(folder)

    def __call__(self, rows: Any, interval: float | None = None) -> Any:
        """A DataFrame with a row for each of the DataFrame `rows`; see `predictions`. Notes are warnings."""
        calibration = None if interval is None else calibrated(self.calibration)
        found, notes = predictions(self.fitted, self.described, rows, calibration, interval or 0.0)
        for note in notes:
            warnings.warn(note, stacklevel=2)
        return found


def predictions(
    fitted: Any, described: Described, table: Any, calibration: Calibration | None = None, level: float = 0.0
) -> tuple[Any, list[str]]:
    """A DataFrame with a row for each of the DataFrame `table`, and notes of what was left out.

    It has `prediction`, a class's name or a number, and for classes `probability_NAME` of each; with a
    `calibration` of numbers `lower` and `upper`, the interval of that `level`, and of classes `set`, a JSON
    list of those among which the true one is at that level. Raises `UserError` for rows that cannot be read
    as the training rows were, and for a level for which there are too few residuals.
    """
    import pandas as pd  # pandas takes half a second to import

    features, notes = feature_columns(described.reading, table)
    labels = described.labels
    values = predicted(fitted, features, len(labels))
    if not labels:
        found = pd.DataFrame({"prediction": values}, index=table.index)
        if calibration is not None:
            half = calibration.half_width(features, level)
            found = found.assign(lower=values - half, upper=values + half)
        return found, notes
    chosen = decided(values, described.threshold).argmax(1)
    columns: dict[str, Any] = {"prediction": [labels[number] for number in chosen]}
    columns |= {f"probability_{label}": values[:, number] for number, label in enumerate(labels)}
    if calibration is not None:
        columns["set"] = [_json_of(labels, row) for row in calibration.sets(values, chosen, level)]
    return pd.DataFrame(columns, index=table.index), notes


def _json_of(labels: tuple[str, ...], row: np.ndarray) -> str:
    return json.dumps([label for label, there in zip(labels, row, strict=True) if there], ensure_ascii=False)


def module(winner: Winner) -> str:
    """`model.py` of a table model. Raises `UserError` when it needs more than `TABLES` and plain code."""
    flattened = Flattened(f"{__name__}:{TableModelOfFolder.__qualname__}", TABLES)
    flattened.reserve("load_model", "FOLDER")
    flattened.add_import("pathlib", "Path")
    title = f"The table model {winner.name}, found by the arm {winner.certificate.arm!r}."
    return _MODULE.format(title=title, body=flattened.text)
