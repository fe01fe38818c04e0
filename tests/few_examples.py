"""A table with columns of every kind, and pipelines fitted on it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from automl.tables.model import TableModel

ROWS = 240
RNG = np.random.default_rng(0)
SMALL = {"forest_trees": 5, "boosting_rounds": 5, "mlp_width": 4}
X = pd.DataFrame(
    {
        "size": RNG.normal(size=ROWS),
        "town": RNG.choice(["Ulm", "Bonn", "Kiel"], ROWS).astype(object),
        "year": RNG.integers(1900, 2024, ROWS),
        "empty": np.nan,
        "street": RNG.choice([f"s{number}" for number in range(40)], ROWS).astype(object),
        "said": RNG.choice(["red fox runs", "blue sky", "green tea cup", "a b c d"], ROWS).astype(object),
    }
)
X.loc[::7, "size"] = np.nan
X.loc[::5, "town"] = None


def new_rows() -> pd.DataFrame:
    """64 rows, with categories and texts that were not seen, cells that are missing, and another order."""
    rows = X.sample(64, random_state=1).reset_index(drop=True)
    rows.loc[::3, "town"] = "never seen"
    rows.loc[1::4, "street"] = None
    rows.loc[2::9, "said"] = "other words"
    rows.loc[::6, "year"] = -3
    return rows.assign(other=1.5)[["other", *reversed(X.columns)]]


def fitted(
    family: str, classes: int, *, calibrate: bool = True, threads: int = 1, **config: Any
) -> TableModel:
    """A small model of `family`, fitted on the table."""
    y = RNG.integers(0, classes, ROWS) if classes else RNG.normal(size=ROWS)
    values = {"model": family, **SMALL, **config}
    return TableModel(values, classes, 0, calibrate=calibrate, threads=threads, texts=("said",)).fit(X, y)
