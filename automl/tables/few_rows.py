"""Few rows at once through a fitted pipeline, or an ensemble of some, in a millisecond or two.

Most of the time of one row is spent in pandas, in checks, and in threads that are started and wait. Here the
steps are taken as functions of arrays, made once for a fitted model. What cannot be taken so goes the usual
way, as the first rows do: they must give the same digits both ways.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from weakref import WeakKeyDictionary

import numpy as np

from automl.tables.few_columns import Columns, few_columns, few_scaled
from automl.tables.few_models import few_scores_of
from automl.tables.not_few import NotFewError

FEW_ROWS: Final = 32  # rows; with more, what is saved here is little
Way: TypeAlias = Callable[[Columns], np.ndarray]


@dataclass
class _Made:
    """The quick way of a model; None where it has none. `equal`: the same digits were seen both ways."""

    way: Way | None
    equal: bool = False


_MADE: Final[MutableMapping[Any, _Made]] = WeakKeyDictionary()  # by the fitted model


def few_scores(fitted: Any, columns: Columns, classes: int, usual: Callable[[], np.ndarray]) -> np.ndarray:
    """The probabilities (n, classes), or values (n,), of rows by a fitted pipeline or ensemble.

    `columns`: of the table; `usual`: the usual way for the same rows, which other ways must equal.
    """
    made = _MADE.get(fitted)
    if made is None:
        made = _MADE[fitted] = _Made(_way_of(fitted, classes=bool(classes)))
    if made.way is None:
        return usual()
    if made.equal:
        try:
            return _quietly(made.way, columns)
        except NotFewError:
            return usual()
    found = usual()
    _compare(made, columns, found)
    return found


def takes_few(fitted: Any) -> bool:
    """Whether few rows go the quick way, once some have gone through this model."""
    made = _MADE.get(fitted)
    return made is not None and made.way is not None and made.equal


def _way_of(fitted: Any, *, classes: bool) -> Way | None:
    try:
        return _way(fitted, classes=classes)
    except Exception:  # such as of another version of a library; the usual way knows what is wrong
        return None


def _compare(made: _Made, columns: Columns, usual: np.ndarray) -> None:
    """Keep the quick way where it gives these digits, and drop it where it fails or gives others."""
    if made.way is None:
        return
    try:
        made.equal = np.array_equal(_quietly(made.way, columns), usual, equal_nan=True)
    except NotFewError:
        return  # of these rows; others may be taken
    except Exception:  # as above
        made.equal = False
    if not made.equal:
        made.way = None


def _quietly(way: Way, columns: Columns) -> np.ndarray:
    from sklearn import config_context  # scikit-learn takes a second to import

    with config_context(assume_finite=True, skip_parameter_validation=True):
        return way(columns)


def _way(fitted: Any, *, classes: bool) -> Way:
    # scikit-learn takes a second to import
    from sklearn.ensemble import VotingClassifier, VotingRegressor
    from sklearn.pipeline import Pipeline

    if type(fitted) in (VotingClassifier, VotingRegressor):
        members = [_way(one, classes=classes) for one in fitted.estimators_]
        weights = list(fitted.weights)

        def together(columns: Columns) -> np.ndarray:
            found = np.asarray([member(columns) for member in members])
            if classes:
                return np.average(found, axis=0, weights=weights)
            return np.average(found.T, axis=1, weights=weights)

        return together
    if type(fitted) is not Pipeline:
        raise NotFewError
    first, *others = [step for _, step in fitted.steps]
    prepare, model = few_columns(first), few_scores_of(others.pop(), classes=classes)
    scaled = [few_scaled(step) for step in others]

    def alone(columns: Columns) -> np.ndarray:
        matrix = prepare(columns)
        for scale in scaled:
            matrix = scale(matrix)
        return model(matrix)

    return alone
