"""Predictions of rows of which some features are changed, many changes predicted together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, TypeAlias

import numpy as np

ROWS: Final = 20_000  # that are predicted together: of a wide table a call costs more than its rows
CELLS: Final = 20_000_000  # that are in memory for that
Predict: TypeAlias = Callable[[Any], np.ndarray]
Change: TypeAlias = Mapping[str, Any]  # the new values of features, (n,) or one for all rows


def predictions(predict: Predict, x: Any, changes: Iterable[Change]) -> Iterator[np.ndarray]:
    """The predictions (n, …) of the DataFrame `x` (n, features) after each of `changes`, in their order.

    Each change is one of `x` itself, which stays as it is.
    """
    together = max(1, min(ROWS, CELLS // x.shape[1]) // len(x))
    left = iter(changes)
    while part := list(islice(left, together)):
        copies = x.iloc[np.tile(np.arange(len(x)), len(part))].reset_index(drop=True)
        for number, change in enumerate(part):
            rows = slice(number * len(x), (number + 1) * len(x))
            for feature, values in change.items():
                copies.iloc[rows, copies.columns.get_loc(feature)] = values
        yield from np.split(predict(copies), len(part))
