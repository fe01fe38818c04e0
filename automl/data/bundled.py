"""Tables that ship with scikit-learn: real data, no download."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from automl.data.dataset import Dataset


def sklearn_table(load: Callable[..., Any]) -> Dataset:
    """The dataset of a scikit-learn `load_*` function as a DataFrame with its own column names."""
    bunch = load(as_frame=True)
    classes = len(bunch.target_names) if "target_names" in bunch else 0
    return Dataset(bunch.data, bunch.target.to_numpy(), "table", classes)
