"""Tables that ship with scikit-learn: real data, no download."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from automl.data.dataset import Dataset


def sklearn_table(load: Callable[..., Any]) -> Dataset:
    """The dataset of a scikit-learn `load_*` function as a DataFrame with its own column names."""
    found = load(as_frame=True)
    classes = len(found.target_names) if "target_names" in found else 0
    return Dataset(found.data, found.target.to_numpy(), "table", classes)
