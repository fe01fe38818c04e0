"""`automl.fit` as estimators of scikit-learn, which takes a second to import."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d, validate_data

from automl.api.fitted import fit
from automl.api.rows import COLUMN, frame_of
from automl.contracts import UserError
from automl.tables.deciding import decided

if TYPE_CHECKING:
    import pandas as pd

    from automl.api.keys import StoreLike
    from automl.tables.monotone import Trend


FEWEST: Final = 6  # rows, of which three parts and two folds are made


class _Estimator(BaseEstimator):  # type: ignore[misc]
    """What both have in common. Every column of X is a feature, whatever it looks like."""

    def __init__(  # noqa: PLR0913 - scikit-learn's estimators have an argument for each parameter
        self,
        minutes: float = 5.0,
        metric: str | None = None,
        name: str | None = None,
        overrides: Sequence[str] = (),
        store: StoreLike | None = None,
        progress: str = "quiet",
        cpus: int | None = None,
        refit: bool = True,
        monotone: Mapping[str, Trend] | None = None,
        infer_limit: float | None = None,
        size_limit: str | float | None = None,
    ) -> None:
        self.minutes, self.metric, self.name = minutes, metric, name
        self.cpus, self.refit, self.monotone = cpus, refit, monotone
        self.overrides, self.store, self.progress = overrides, store, progress
        self.infer_limit, self.size_limit = infer_limit, size_limit

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags

    def _found(self, frame: pd.DataFrame, y: Any, metric: str | None, sample_weight: Any) -> Self:
        """Fit on checked rows with the target `y` (n,) and weights (n,) or None."""
        check_consistent_length(frame, y)
        if len(frame) < FEWEST:
            raise ValueError(f"at least {FEWEST} rows are needed, but got n_samples = {len(frame)}; add rows")
        features = [str(name) for name in frame.columns]
        target, weights = _new("target", features), None
        frame = frame.set_axis(features, axis="columns").assign(**{target: y}).reset_index(drop=True)
        if sample_weight is not None:
            weights = _new("weight", features)
            counts = column_or_1d(np.asarray(sample_weight, np.float64))
            check_consistent_length(frame, counts)
            frame[weights] = counts
        digest = hashlib.sha256(frame.to_csv(index=False).encode()).hexdigest()[:8]
        keep = f"task.columns.keep={features}"
        with _value_errors():
            self.fitted_ = fit(
                frame,
                target,
                self.minutes,
                metric=metric,
                name=self.name or f"estimator-{digest}",
                overrides=[keep, *self.overrides],
                store=self.store,
                progress=self.progress,
                cpus=self.cpus,
                refit=self.refit,
                monotone=self.monotone,
                weights=weights,
                infer_limit=self.infer_limit,
                size_limit=self.size_limit,
            )
        return self

    def _rows(self, X: Any) -> pd.DataFrame:
        """Rows to predict, checked against those that it was fitted on."""
        check_is_fitted(self)
        frame = self._frame(X, reset=False)
        return frame.set_axis([str(name) for name in frame.columns], axis="columns")

    def _frame(self, X: Any, *, reset: bool) -> pd.DataFrame:
        import pandas as pd  # takes half a second to import

        if isinstance(X, pd.DataFrame):  # its columns may be of any kind
            validate_data(self, X, reset=reset, skip_check_array=True)
            return frame_of(_named(X) if list(X.columns) == list(range(X.shape[1])) else X)
        found = validate_data(self, X, reset=reset, dtype="numeric", ensure_all_finite="allow-nan")
        return _named(pd.DataFrame(found))


class AutoMLClassifier(ClassifierMixin, _Estimator):  # type: ignore[misc]
    """A classifier that searches a model within `minutes` on the clock.

    The arguments are those of `automl.fit`. After `fit`: `classes_`, and `fitted_`, what `automl.fit`
    returned. Raises `ValueError` for data of which no model can be made.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit on rows `X` (n, columns), a DataFrame or an array, and classes `y` (n,).

        `sample_weight` (n,): how much each row counts when models are fitted; scores count all alike.
        """
        frame, y = self._frame(X, reset=True), column_or_1d(_present(y), warn=True)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"a classifier needs two classes, but y has one class, {str(self.classes_[0])!r}"
            )
        return self._found(frame, [f"c{code:05}" for code in codes], self.metric, sample_weight)

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probabilities (n, classes) for rows `X`, in the order of `classes_`."""
        check_is_fitted(self)
        found: np.ndarray = self.fitted_.predict_proba(self._rows(X)).to_numpy()
        return found

    def predict(self, X: Any) -> np.ndarray:
        """The classes (n,) for rows `X`."""
        chosen = decided(self.predict_proba(X), self.fitted_.threshold).argmax(axis=1)
        return np.asarray(self.classes_[chosen])

    def predict_set(self, X: Any, level: float = 0.9) -> np.ndarray:
        """Whether each class (n, classes) is in the set of a row, which the true one is in at the `level`.

        Raises `ValueError` for a level that is no share, or for which there were too few rows.
        """
        check_is_fitted(self)
        with _value_errors():
            found: np.ndarray = self.fitted_.predict_set(self._rows(X), level).to_numpy()
        return found


class AutoMLRegressor(RegressorMixin, _Estimator):  # type: ignore[misc]
    """A regressor that searches a model within `minutes` on the clock, by default by `r2`.

    The arguments are those of `automl.fit`. After `fit`: `fitted_`, what `automl.fit` returned. Raises
    `ValueError` for data of which no model can be made.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit on rows `X` (n, columns), a DataFrame or an array, and numbers `y` (n,).

        `sample_weight` (n,): how much each row counts when models are fitted; scores count all alike.
        """
        frame = self._frame(X, reset=True)
        numbers = np.asarray(column_or_1d(_present(y), warn=True), np.float64)
        if not np.isfinite(numbers).all():
            raise ValueError("y must hold finite numbers, but got NaN or infinity; remove those rows")
        return self._found(frame, numbers, self.metric or "r2", sample_weight)

    def predict(self, X: Any) -> np.ndarray:
        """The predictions (n,) for rows `X`."""
        check_is_fitted(self)
        found: np.ndarray = self.fitted_.predict(self._rows(X)).to_numpy()
        return found

    def predict_interval(self, X: Any, level: float = 0.9) -> np.ndarray:
        """Lower and upper ends (n, 2) of intervals for rows `X`, which hold such a share of the targets.

        Raises `ValueError` for a level that is no share, or for which there were too few rows.
        """
        check_is_fitted(self)
        with _value_errors():
            found = self.fitted_.predict_interval(self._rows(X), level)
        ends: np.ndarray = found[["lower", "upper"]].to_numpy()
        return ends


@contextlib.contextmanager
def _value_errors() -> Iterator[None]:
    """Mistakes are raised as what scikit-learn's tools expect."""
    try:
        yield
    except UserError as error:
        raise ValueError(str(error)) from error


def _new(name: str, others: Sequence[str]) -> str:
    """`name`, or one like it that none of the others is."""
    while name in others:
        name += "_"
    return name


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns that have numbers alone get names, the same for a DataFrame as for its array."""
    return frame.set_axis([COLUMN.format(place) for place in range(frame.shape[1])], axis="columns")


def _present(y: Any) -> Any:
    if y is None:
        raise ValueError("this estimator requires y to be passed, but the target y is None")
    return y
