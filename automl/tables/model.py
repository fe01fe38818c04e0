"""From a configuration to a scikit-learn pipeline for tables, for classification and regression."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from automl.contracts import Config, UserError
from automl.tables.families import FAMILIES, Values, choice, unknown

# what a configuration leaves out has these values
DEFAULTS: Config = {
    "model": "gradient_boosting",
    "imputation": "median",
    "encoding": "one_hot",
    "scaling": "standard",
    "linear_c": 1.0,
    "knn_neighbors": 5,
    "knn_weights": "uniform",
    "knn_power": 2,
    "svm_c": 1.0,
    "svm_gamma": 0.1,
    "forest_trees": 100,
    "forest_features": 0.5,
    "forest_leaf": 1,
    "boosting_rate": 0.1,
    "boosting_rounds": 100,
    "boosting_leaves": 31,
    "boosting_leaf": 20,
    "boosting_l2": 0.0,
    "mlp_width": 64,
    "mlp_depth": 1,
    "mlp_alpha": 1e-4,
    "mlp_rate": 1e-3,
}
CATEGORIES = 32


class TableModel:
    """A pipeline to be fitted once. `classes`: 0 for regression; `seed` goes into every random state.

    `calibrate` asks for probabilities of models that have none of their own. Raises `UserError`
    for a parameter or value that no pipeline has.
    """

    def __init__(self, config: Config, classes: int, seed: int, *, calibrate: bool = False) -> None:
        unknown = sorted(set(config) - set(DEFAULTS))
        if unknown:
            raise UserError(
                f"a space for pipelines must have parameters among {', '.join(DEFAULTS)}, but got "
                f"{', '.join(unknown)}; rename or remove them"
            )
        self.config: Values = {**DEFAULTS, **config}
        self.classes = classes
        self.seed = seed
        self.calibrate = calibrate
        self._fitted: Any = None

    def fit(self, x: Any, y: np.ndarray) -> TableModel:
        """Fit on the DataFrame `x` (n, features) and targets `y` (n,)."""
        from sklearn.pipeline import make_pipeline  # scikit-learn takes a second to import

        table = tidy(x)
        steps = [_columns(table, self.config), _scaler(self.config["scaling"], len(table))]
        self._fitted = make_pipeline(*(step for step in steps if step is not None), self._model(len(table)))
        with controlled():
            self._fitted.fit(table, y)
        return self

    @property
    def fitted(self) -> Any:
        """The scikit-learn pipeline, once it is fitted."""
        return self._fitted

    def predict(self, x: Any) -> np.ndarray:
        """Class probabilities (n, classes), or values (n,) for regression."""
        return predicted(self._fitted, x, self.classes)

    def _model(self, rows: int) -> Any:
        from sklearn.calibration import CalibratedClassifierCV  # scikit-learn takes a second to import
        from sklearn.compose import TransformedTargetRegressor  # scikit-learn takes a second to import
        from sklearn.preprocessing import StandardScaler  # scikit-learn takes a second to import

        make = choice("model", self.config, FAMILIES)
        model = make(self.config, bool(self.classes), self.seed, rows)
        if not self.classes:
            return TransformedTargetRegressor(model, transformer=StandardScaler())
        if self.calibrate and not hasattr(model, "predict_proba"):
            return CalibratedClassifierCV(model, ensemble=False, cv=3)
        return model


def predicted(fitted: Any, x: Any, classes: int) -> np.ndarray:
    """Class probabilities (n, classes) of a fitted pipeline, or values (n,) where there are no classes.

    A model that has no probabilities gives its class 1.
    """
    with controlled():
        if not classes:
            return np.asarray(fitted.predict(tidy(x)), dtype=np.float64)
        if hasattr(fitted, "predict_proba"):
            scores = fitted.predict_proba(tidy(x))
        else:
            scores = fitted.predict(tidy(x))[:, None] == fitted.classes_
    probabilities = np.zeros((len(x), classes))
    probabilities[:, fitted.classes_] = scores
    return probabilities


def tidy(x: Any) -> Any:
    """Numbers and truth values as float64, everything else as strings with `missing` for what is missing."""
    import pandas as pd  # pandas takes half a second to import

    columns = {}
    for name, column in x.items():
        if pd.api.types.is_numeric_dtype(column):
            columns[name] = column.astype("float64")
        else:
            columns[name] = column.astype(str).astype(object).where(column.notna(), "missing")
    return pd.DataFrame(columns, index=x.index)


@contextlib.contextmanager
def controlled() -> Iterator[None]:
    """One thread, and silence: a bad candidate's score says what its warnings would."""
    from sklearn.exceptions import ConvergenceWarning  # scikit-learn takes a second to import
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(1), warnings.catch_warnings(), np.errstate(all="ignore"):
        # 2026-11-21, scikit-learn 1.9: a fit that stops at max_iter is a candidate like any other
        warnings.simplefilter("ignore", ConvergenceWarning)
        # 2026-11-21, scikit-learn 1.9: BLAS in MLP and SVM overflows for extreme hyperparameters
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


def _columns(table: Any, config: Values) -> Any:
    from sklearn.compose import ColumnTransformer  # scikit-learn takes a second to import
    from sklearn.impute import SimpleImputer  # scikit-learn takes a second to import
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder  # scikit-learn takes a second to import

    if config["imputation"] not in ("mean", "median", "most_frequent"):
        raise unknown("imputation", config, ["mean", "median", "most_frequent"])
    encoders: dict[str, Callable[[], Any]] = {
        "one_hot": lambda: OneHotEncoder(
            handle_unknown="infrequent_if_exist", max_categories=CATEGORIES, sparse_output=False
        ),
        "ordinal": lambda: OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    }
    numbers = list(table.select_dtypes("number").columns)
    return ColumnTransformer(
        [
            ("numbers", SimpleImputer(strategy=config["imputation"], keep_empty_features=True), numbers),
            ("words", choice("encoding", config, encoders)(), [c for c in table if c not in numbers]),
        ]
    )


def _scaler(name: str, rows: int) -> Any:
    # scikit-learn takes a second to import
    from sklearn.preprocessing import QuantileTransformer, RobustScaler, StandardScaler

    scalers: dict[str, Callable[[], Any]] = {
        "none": lambda: None,
        "standard": StandardScaler,
        "robust": RobustScaler,
        "quantile": lambda: QuantileTransformer(
            n_quantiles=min(1000, rows), subsample=rows, output_distribution="normal"
        ),
    }
    return choice("scaling", {"scaling": name}, scalers)()
