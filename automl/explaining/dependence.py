"""Partial dependence of predictions on a column, and the lines of single rows whose mean it is (ICE).

J. H. Friedman: Greedy function approximation: a gradient boosting machine, Annals of Statistics 29, 2001.
A. Goldstein, A. Kapelner, J. Bleich, E. Pitkin: Peeking inside the black box: visualizing statistical
learning with plots of individual conditional expectation, JCGS 24, 2015.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from automl.contracts import ReadColumn
from automl.data.reading.rows import feature_names
from automl.explaining.changes import Change, Predict, predictions

POINTS: Final = 20  # of a number or a date
EDGE: Final = 0.01  # of the values at each end, beyond which there is no point
CATEGORIES: Final = 12
ROWS: Final = 500  # whose lines are averaged
LINES: Final = 50  # of single rows
OUTPUTS: Final = 4  # classes whose probabilities are followed
MISSING: Final = "missing"
SECONDS: Final = 86_400  # of a day


@dataclass(frozen=True)
class Dependence:
    """What is predicted in mean over `rows` rows when a column has each of the values `at` (g,) in all.

    `kind`: number, date or category; dates are texts of ISO 8601. `outputs`: classes whose probability it is,
    or the target; `mean`: (outputs, g). `lines` (lines, g): of single rows, of the first output. `left_out`:
    rare categories that are not among `at`.
    """

    column: str
    kind: str
    at: tuple[str | float, ...]
    outputs: tuple[str, ...]
    mean: tuple[tuple[float, ...], ...]
    lines: tuple[tuple[float, ...], ...]
    rows: int
    left_out: int = 0

    @property
    def middle(self) -> tuple[float, ...]:
        """The mean of the first output."""
        return self.mean[0]


@dataclass(frozen=True)
class Grid:
    """Values that a column is set to: a change for each of `at`."""

    kind: str
    at: tuple[str | float, ...]
    changes: Sequence[Change]
    left_out: int = 0


def grid(column: ReadColumn, x: Any) -> Grid | None:
    """Values of a column that rows of the DataFrame `x` (n, features) have, at most `POINTS` or `CATEGORIES`.

    Of numbers and dates they are quantiles. None for a column that is not one value (lists, addresses, words)
    or has fewer than two.
    """
    import pandas as pd  # pandas takes half a second to import

    names = feature_names(column)
    if column.kind == "date":
        found = _dates(names, x, hours=column.hours)
    elif len(names) > 1 or column.kind == "text":
        return None
    elif pd.api.types.is_numeric_dtype(x[names[0]]):
        places = _places(x[names[0]])
        values = x[names[0]].to_numpy()[places]
        found = Grid("number", tuple(values.astype(float).tolist()), [{names[0]: value} for value in values])
    else:
        found = _categories(names[0], x)
    return found if len(found.at) > 1 else None


def dependence(
    predict: Predict, x: Any, column: str, points: Grid, outputs: Sequence[tuple[int, str]]
) -> Dependence:
    """The dependence of predictions of the DataFrame `x` (n, features) on a column.

    `outputs`: which columns of the predictions (n, classes), and their names; of values (n,) one, of any
    number.
    """
    found = np.stack(list(predictions(predict, x, points.changes)), axis=1)  # (n, g, …)
    single = found if found.ndim == 2 else found[:, :, outputs[0][0]]
    means = [(found if found.ndim == 2 else found[:, :, place]).mean(axis=0) for place, _ in outputs]
    return Dependence(
        column=column,
        kind=points.kind,
        at=points.at,
        outputs=tuple(name for _, name in outputs),
        mean=tuple(tuple(one.tolist()) for one in means),
        lines=tuple(tuple(line.tolist()) for line in single[:LINES]),
        rows=len(x),
        left_out=points.left_out,
    )


def outputs_of(labels: Sequence[str], y: np.ndarray, target: str) -> list[tuple[int, str]]:
    """What is followed: the second of two classes, the most frequent of more, or the target's value."""
    if not labels:
        return [(0, target)]
    if len(labels) == 2:
        return [(1, labels[1])]
    often = np.argsort(-np.bincount(y, minlength=len(labels)), kind="stable")[:OUTPUTS]
    return [(int(place), labels[place]) for place in often]


def _places(values: Any) -> list[int]:
    """Rows whose values, all different and in order, are the quantiles of the Series `values`."""
    first = values.dropna().reset_index(drop=True)  # a value's first row
    known = np.flatnonzero(values.notna().to_numpy())
    order = first.sort_values(kind="stable").index.to_numpy()
    different = order[~first.iloc[order].duplicated().to_numpy()]
    if len(different) > POINTS:
        levels = np.linspace(EDGE, 1 - EDGE, POINTS)
        picked = order[np.round(levels * (len(order) - 1)).astype(int)]
        different = picked[~first.iloc[picked].duplicated().to_numpy()]
    return [int(known[place]) for place in different]


def _dates(names: Sequence[str], x: Any, *, hours: bool) -> Grid:
    elapsed = x[names[-1]]  # days since 1970
    places = _places(elapsed)
    days = elapsed.to_numpy()[places]
    times = np.datetime64(0, "s") + np.round(days * SECONDS).astype("timedelta64[s]")
    at = np.datetime_as_string(times, unit="m" if hours else "D").tolist()
    return Grid("date", tuple(at), [{name: x[name].to_numpy()[place] for name in names} for place in places])


def _categories(name: str, x: Any) -> Grid:
    often = x[name].value_counts(dropna=False, sort=True)
    values = [None if value is None or value != value else value for value in often.index[:CATEGORIES]]
    at = tuple(MISSING if value is None else str(value) for value in values)
    return Grid("category", at, [{name: value} for value in values], max(0, len(often) - CATEGORIES))
