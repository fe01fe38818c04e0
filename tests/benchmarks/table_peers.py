"""One program on one table, in an environment of its own: it needs pandas and that program's package alone.

    python table_peers.py PROGRAM train.csv test.csv KIND METRIC SECONDS predictions.csv

PROGRAM: `booster` (HistGradientBoosting with its defaults), `flaml` or `autogluon`. KIND: `classes` or
`numbers`. The target is the column `target`. Predictions: a column for each class with its probability, or
`prediction`.
"""

from __future__ import annotations

import sys
import tempfile
from typing import Any

import pandas as pd


def booster(x: Any, y: Any, new: Any, kind: str, _metric: str, _seconds: float) -> Any:
    """Gradient boosting of scikit-learn, categories as it takes them."""
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    words = [name for name in x if not pd.api.types.is_numeric_dtype(x[name])]
    encoder = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=float("nan"), max_categories=250
    )
    columns = ColumnTransformer([("words", encoder, words)], remainder="passthrough")
    family = HistGradientBoostingClassifier if kind == "classes" else HistGradientBoostingRegressor
    model = make_pipeline(
        columns, family(categorical_features=list(range(len(words))) or None, random_state=0)
    )
    model.fit(x, y)
    if kind == "classes":
        return pd.DataFrame(model.predict_proba(new), columns=model.classes_)
    return pd.DataFrame({"prediction": model.predict(new)})


def flaml(x: Any, y: Any, new: Any, kind: str, metric: str, seconds: float) -> Any:
    """FLAML's AutoML with its defaults."""
    from flaml import AutoML

    task = "classification" if kind == "classes" else "regression"
    model = AutoML()
    names = {"roc_auc": "roc_auc", "log_loss": "log_loss", "rmse": "rmse"}
    model.fit(x, y, task=task, metric=names[metric], time_budget=seconds, verbose=0, seed=0)
    if kind == "classes":
        return pd.DataFrame(model.predict_proba(new), columns=model.classes_)
    return pd.DataFrame({"prediction": model.predict(new)})


def autogluon(x: Any, y: Any, new: Any, kind: str, metric: str, seconds: float) -> Any:
    """AutoGluon's TabularPredictor with its default preset."""
    from autogluon.tabular import TabularPredictor

    names = {"roc_auc": "roc_auc", "log_loss": "log_loss", "rmse": "root_mean_squared_error"}
    with tempfile.TemporaryDirectory() as folder:
        made = TabularPredictor("target", eval_metric=names[metric], path=folder, verbosity=0)
        made.fit(x.assign(target=y), time_limit=seconds)
        if kind == "classes":
            return made.predict_proba(new)
        return pd.DataFrame({"prediction": made.predict(new)})


def main() -> None:
    """See the module."""
    program, train, test, kind, metric, seconds, out = sys.argv[1:]
    rows, new = pd.read_csv(train), pd.read_csv(test)
    y = rows.pop("target")
    y = y.astype(str) if kind == "classes" else y
    run = {"booster": booster, "flaml": flaml, "autogluon": autogluon}[program]
    run(rows, y, new, kind, metric, float(seconds)).to_csv(out, index=False)


if __name__ == "__main__":
    main()
