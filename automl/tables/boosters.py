"""Boosting of other libraries, the extra `tables`: LightGBM, XGBoost, CatBoost; and when boosting stops."""

from __future__ import annotations

import importlib.util
import math
import threading
from collections.abc import Container
from typing import Any, Final

import numpy as np

from automl.contracts import UserError
from automl.tables.setting import Fitting, Setting
from automl.tables.values import Values
from automl.tables.waiting import in_thread

PACKAGES: Final = ("lightgbm", "xgboost", "catboost")  # each is the name of its family, too
HELD: Final = 0.1  # of the rows to be fitted: boosting stops by its loss on them
LEAST: Final = 200  # rows from which on a tenth of them says something
DEEPEST: Final = 10  # levels of CatBoost's trees, whose leaves are all of one depth


def may_stop(y: np.ndarray, classes: int) -> str:
    """Why no part of the rows with targets `y` (n,) can be held out to stop by; "" where it can."""
    if len(y) < LEAST:
        return f"boosting is not stopped early on {len(y)} rows, fewer than {LEAST}: all rounds are fitted"
    if classes and (np.bincount(y, minlength=classes).min() < 2 or math.ceil(HELD * len(y)) < classes):
        return "boosting is not stopped early, since a class has too few rows: all rounds are fitted"
    return ""


def installed() -> tuple[str, ...]:
    """The packages of the extra that are there."""
    return tuple(name for name in PACKAGES if importlib.util.find_spec(name) is not None)


def require(families: Container[object]) -> None:
    """Raise `UserError` for those `families` whose package is not installed."""
    absent = sorted({name for name in PACKAGES if name in families} - set(installed()))
    if absent:
        raise UserError(
            f"the packages of a space's families must be installed, but {', '.join(absent)} "
            f"{'is' if len(absent) == 1 else 'are'} not; pip install 'automl-orchestrator[tables]', narrow "
            "the parameter model, or take the space tabular"
        )


def lightgbm(c: Values, s: Setting) -> Any:
    """A model of LightGBM (Ke et al., NeurIPS 2017)."""
    import lightgbm as library  # an extra, which takes a second to import

    return (library.LGBMClassifier if s.classes else library.LGBMRegressor)(
        n_estimators=c["boosting_rounds"],
        learning_rate=c["boosting_rate"],
        num_leaves=c["boosting_leaves"],
        min_child_samples=c["boosting_leaf"],
        reg_lambda=c["boosting_l2"],
        feature_fraction_bynode=c["boosting_features"],
        n_jobs=s.threads,
        random_state=s.seed,
        deterministic=True,
        force_row_wise=True,
        verbose=-1,
    )


def fit_lightgbm(model: Any, rows: Fitting, s: Setting, c: Values) -> None:
    """Fit on `rows`; patience: rounds without a gain, 0 for all rounds."""
    import lightgbm as library  # an extra, which takes a second to import

    categories = list(range(s.categories)) if s.categories else "auto"
    patience = c["boosting_patience"]
    fit, held = _parts(rows, s, patience)
    stop = [library.early_stopping(patience, verbose=False)] if patience else []
    checked: dict[str, Any] = {} if held is None else {"eval_X": held.x, "eval_y": held.y}
    if held is not None and held.weights is not None:
        checked["eval_sample_weight"] = [held.weights]

    def run(ended: threading.Event) -> None:
        def go_on(_environment: object) -> None:
            if ended.is_set():
                raise InterruptedError("the fit was ended")

        more = {"callbacks": [*stop, go_on], "categorical_feature": categories, **checked}
        model.fit(fit.x, fit.y, sample_weight=fit.weights, **more)

    in_thread(run)


def xgboost(c: Values, s: Setting) -> Any:
    """A model of XGBoost (Chen and Guestrin, KDD 2016) that grows the leaf with the largest gain."""
    import xgboost as library  # an extra, which takes a second to import

    categories = {"enable_categorical": True} if s.categories else {}
    return (library.XGBClassifier if s.classes else library.XGBRegressor)(
        n_estimators=c["boosting_rounds"],
        learning_rate=c["boosting_rate"],
        grow_policy="lossguide",
        max_depth=0,
        max_leaves=c["boosting_leaves"],
        min_child_weight=c["boosting_leaf"] * (0.25 if s.classes else 1.0),
        reg_lambda=c["boosting_l2"],
        colsample_bynode=c["boosting_features"],
        tree_method="hist",
        n_jobs=s.threads,
        random_state=s.seed,
        **categories,
    )


def fit_xgboost(model: Any, rows: Fitting, s: Setting, c: Values) -> None:
    """See `fit_lightgbm`."""
    from xgboost.callback import TrainingCallback  # an extra, which takes a second to import

    if s.categories:
        model.set_params(feature_types=["c"] * s.categories + ["q"] * (rows.x.shape[1] - s.categories))
    patience = c["boosting_patience"]
    fit, held = _parts(rows, s, patience)
    checked: dict[str, Any] = {} if held is None else {"eval_set": [(held.x, held.y)]}
    if held is not None and held.weights is not None:
        checked["sample_weight_eval_set"] = [held.weights]

    def run(ended: threading.Event) -> None:
        class GoOn(TrainingCallback):
            def after_iteration(self, _model: object, _epoch: int, _log: object) -> bool:
                return ended.is_set()

        model.set_params(early_stopping_rounds=patience or None, callbacks=[GoOn()])
        model.fit(fit.x, fit.y, sample_weight=fit.weights, verbose=False, **checked)
        model.set_params(callbacks=None)

    in_thread(run)


def catboost(c: Values, s: Setting) -> Any:
    """A model of CatBoost (Prokhorenkova et al., NeurIPS 2018), of trees with about as many leaves."""
    import catboost as library  # an extra, which takes a second to import

    return (library.CatBoostClassifier if s.classes else library.CatBoostRegressor)(
        iterations=c["boosting_rounds"],
        learning_rate=c["boosting_rate"],
        depth=min(DEEPEST, max(1, round(math.log2(c["boosting_leaves"])))),
        l2_leaf_reg=max(c["boosting_l2"], 1e-6),
        rsm=c["boosting_features"],
        thread_count=s.threads,
        random_seed=s.seed,
        allow_writing_files=False,
        verbose=False,
    )


def fit_catboost(model: Any, rows: Fitting, s: Setting, c: Values) -> None:
    """See `fit_lightgbm`; categories are texts."""
    import catboost as library  # an extra, which takes a second to import

    categories = list(range(s.categories)) or None
    patience = c["boosting_patience"]
    fit, held = _parts(rows, s, patience)
    checked: dict[str, Any] = {}
    if held is not None:
        pool = library.Pool(held.x, held.y, cat_features=categories, weight=held.weights)
        checked = {"eval_set": pool, "early_stopping_rounds": patience}

    def run(ended: threading.Event) -> None:
        class GoOn:
            def after_iteration(self, _info: object) -> bool:
                return not ended.is_set()

        more = {"cat_features": categories, "callbacks": [GoOn()], **checked}
        model.fit(fit.x, fit.y, sample_weight=fit.weights, **more)

    in_thread(run)


def _parts(rows: Fitting, s: Setting, patience: int) -> tuple[Fitting, Fitting | None]:
    """Rows to fit on and, with patience, rows held out, by class."""
    from sklearn.model_selection import train_test_split  # scikit-learn takes a second to import

    if not patience:
        return rows, None
    every, by_class = np.arange(len(rows.y)), rows.y if s.classes else None
    fit, held = train_test_split(every, test_size=HELD, stratify=by_class, random_state=s.seed)
    return rows.at(fit), rows.at(held)
