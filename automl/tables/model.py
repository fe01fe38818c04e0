"""From a configuration to a fitted pipeline for tables, for classification and regression."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np

from automl.contracts import Config, UserError, ended_by
from automl.tables import boosters
from automl.tables.columns import prepared, scaler
from automl.tables.families import FAMILIES, Family
from automl.tables.few_models import is_forest
from automl.tables.few_rows import FEW_ROWS, few_scores
from automl.tables.monotone import not_monotone
from automl.tables.setting import Fitting, Setting
from automl.tables.values import DEFAULTS, Values, choice, completed
from automl.tables.weighting import mean_one, not_weighted

__all__ = ["DEFAULTS", "TableModel", "controlled", "predicted", "tidy"]


class TableModel:
    """A pipeline to be fitted once. `classes`: 0 for regression; `seed` goes into every random state.

    `calibrate` asks for probabilities of models that have none of their own. `threads`: how many it may use;
    they do not change what is fitted. `texts`: the columns of words, not of categories. `monotone`: columns
    of numbers with which predictions, of two classes the second one's probability, rise (1) or fall (-1).
    Raises `UserError` for a parameter or value that no pipeline has, for a family whose package is not
    installed, and for one that cannot be `monotone`.
    """

    def __init__(
        self,
        config: Config,
        classes: int,
        seed: int,
        *,
        calibrate: bool = False,
        threads: int = 1,
        texts: Collection[str] = (),
        monotone: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self.config: Values = completed(config)
        self.family: Family = choice("model", self.config, FAMILIES)
        boosters.require([self.config["model"]])
        self.scaled = self.family.scaled or "scaling" in config
        self.classes = classes
        self.seed = seed
        self.calibrate = calibrate
        self.threads = threads
        self.texts = frozenset(texts)
        self.monotone = monotone
        if reason := not_monotone(self.config, monotone):
            raise UserError(reason)
        self.notes: list[str] = []  # what was done otherwise than the configuration says
        self._fitted: Any = None

    def fit(self, x: Any, y: np.ndarray, weights: np.ndarray | None = None) -> TableModel:
        """Fit on the DataFrame `x` (n, features) and targets `y` (n,). `weights` (n,): how much rows count.

        Raises `UserError` for weights of a family that has none, and when all are 0.
        """
        from sklearn.pipeline import make_pipeline  # scikit-learn takes a second to import

        if weights is not None and (reason := not_weighted(self.config)):
            raise UserError(reason)
        table = tidy(x)
        columns = prepared(table, self.config, self.classes, self.seed, self.texts)
        setting = Setting(self.classes, self.seed, len(table), self.threads, columns.categories)
        patience = self._patience(y)
        config = {**self.config, "boosting_patience": patience}
        model = self._model(config, setting)
        scaling = self._scaler(len(table), columns.categories) if self.scaled else None
        self._fitted = make_pipeline(*(s for s in (columns.transformer, scaling) if s is not None), model)
        with controlled(self.threads), _ended():
            matrix = self._fitted[:-1].fit_transform(table, y)
            if self.family.signs is not None and self.monotone:
                signs = columns.signs(self.monotone, matrix.shape[1])
                _inner(model).set_params(**self.family.signs(signs))
            self._fit(model, Fitting(matrix, y, mean_one(weights)), setting, config)
        _in_order(model)
        return self

    @property
    def fitted(self) -> Any:
        """The scikit-learn pipeline, once it is fitted."""
        return self._fitted

    @property
    def families(self) -> tuple[str, ...]:
        """Its family, by name."""
        return (str(self.config["model"]),)

    def predict(self, x: Any) -> np.ndarray:
        """Class probabilities (n, classes), or values (n,) for regression."""
        return predicted(self._fitted, x, self.classes, self.threads)

    def _fit(self, model: Any, rows: Fitting, setting: Setting, config: Values) -> None:
        if self.family.fit is not None:
            self.family.fit(model, rows, setting, config)
        else:
            model.fit(rows.x, rows.y, **({} if rows.weights is None else {"sample_weight": rows.weights}))

    def _scaler(self, rows: int, categories: int) -> Any:
        """The scaler of prepared rows; None where categories stay as they are, whose trees need none."""
        how = self.config["scaling"]
        if not categories or how == "none":
            return scaler(how, rows, clipping=self.config["clipping"])
        note = f"scaling {how} is left out: categories go to the model as they are"
        self.notes += [] if note in self.notes else [note]
        return None

    def _patience(self, y: np.ndarray) -> int:
        """Rounds without a gain after which boosting stops; 0 where it fits all."""
        patience: int = self.config["boosting_patience"] if self.family.boosts else 0
        reason = boosters.may_stop(y, self.classes) if patience else ""
        if reason and reason not in self.notes:
            self.notes.append(reason)
        return 0 if reason else patience

    def _model(self, config: Values, setting: Setting) -> Any:
        from sklearn.calibration import CalibratedClassifierCV  # scikit-learn takes a second to import
        from sklearn.compose import TransformedTargetRegressor  # scikit-learn takes a second to import
        from sklearn.preprocessing import StandardScaler  # scikit-learn takes a second to import

        model = self.family.make(config, setting)
        if not self.classes and self.family.fit is None:
            return TransformedTargetRegressor(model, transformer=StandardScaler())
        if self.classes and self.calibrate and not hasattr(model, "predict_proba"):
            return CalibratedClassifierCV(model, ensemble=False, cv=3)
        return model


def _in_order(model: Any) -> None:
    """Let a forest predict by one thread: several add up its trees in any order, which may change a digit."""
    inner = _inner(model, "regressor_")
    if is_forest(inner):
        inner.n_jobs = 1


def _inner(model: Any, name: str = "regressor") -> Any:
    """What fits the scaled targets of a model of numbers; `regressor_` once it is fitted."""
    from sklearn.compose import TransformedTargetRegressor  # scikit-learn takes a second to import

    return vars(model)[name] if isinstance(model, TransformedTargetRegressor) else model


def predicted(fitted: Any, x: Any, classes: int, threads: int = 1) -> np.ndarray:
    """Class probabilities (n, classes) of a fitted pipeline, or values (n,) where there are no classes.

    `x`: a DataFrame (n, features), or its columns by name, (n,) each. A model that has no probabilities gives
    its class 1.
    """
    columns, rows = (x if isinstance(x, dict) else None), rows_of(x)

    def usual() -> np.ndarray:
        return _scores(fitted, tidy(_frame_of(x)), classes)

    with controlled(threads):
        if threads > 1 or not 0 < rows <= FEW_ROWS:
            scores = usual()
        else:
            columns = columns or {name: column.to_numpy() for name, column in x.items()}
            scores = few_scores(fitted, columns, classes, usual)
    if not classes:
        return np.asarray(scores, dtype=np.float64)
    probabilities = np.zeros((rows, classes))
    probabilities[:, fitted.classes_] = scores
    return probabilities


def rows_of(x: Any) -> int:
    """How many rows a DataFrame has, or columns by name."""
    return len(next(iter(x.values())) if isinstance(x, dict) else x)


def _scores(fitted: Any, table: Any, classes: int) -> np.ndarray:
    """What a fitted pipeline says of a tidy DataFrame, for the classes that it knows or as values."""
    if not classes:
        return np.asarray(fitted.predict(table))
    if hasattr(fitted, "predict_proba"):
        return np.asarray(fitted.predict_proba(table))
    return np.asarray(fitted.predict(table)[:, None] == fitted.classes_)


def _frame_of(x: Any) -> Any:
    import pandas as pd  # pandas takes half a second to import

    return pd.DataFrame(x) if isinstance(x, dict) else x


def tidy(x: Any) -> Any:
    """Numbers and truth values as float64, everything else as strings with `missing` for what is missing."""
    import pandas as pd  # pandas takes half a second to import

    numeric = [pd.api.types.is_numeric_dtype(kind) for kind in x.dtypes]  # all at once: tables may be wide
    numbers = x.loc[:, numeric].astype("float64")
    if all(numeric):
        return numbers
    words = x.loc[:, [not one for one in numeric]]
    words = words.astype(str).astype(object).where(words.notna(), "missing")
    return pd.concat([numbers, words], axis=1)[list(x.columns)]


@contextlib.contextmanager
def _ended() -> Iterator[None]:
    """What ends a trial, such as its time, is raised as it is, whatever a library made of it."""
    try:
        yield
    except Exception as error:
        if (end := ended_by(error)) is error:
            raise
        raise end from None


@contextlib.contextmanager
def controlled(threads: int = 1) -> Iterator[None]:
    """So many threads, one for sums whose order they would change, and silence.

    A bad candidate's score says what its warnings would.
    """
    from sklearn.exceptions import ConvergenceWarning  # scikit-learn takes a second to import

    with (
        _pools(len(sys.modules)).limit(limits={"openmp": threads, "blas": 1}),
        warnings.catch_warnings(),
        np.errstate(all="ignore"),
    ):
        # 2026-11-21, scikit-learn 1.9: a fit that stops at max_iter is a candidate like any other
        warnings.simplefilter("ignore", ConvergenceWarning)
        # 2026-11-21, scikit-learn 1.9: BLAS in MLP and SVM overflows for extreme hyperparameters
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


@lru_cache(maxsize=1)
def _pools(_modules: int) -> Any:
    """The pools of threads of this process, found again once there are more modules, which bring them."""
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

    return ThreadpoolController()
