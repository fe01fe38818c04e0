"""Fitted models on a few rows: without pools of threads, and without checks of what is checked already.

Sums have the order of one thread, so that equal rows give equal digits.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from automl.tables.not_few import NotFewError

Scores: TypeAlias = Callable[[np.ndarray], np.ndarray]


def few_scores_of(model: Any, *, classes: bool) -> Scores:
    """`model` as a function of prepared rows (n, features): probabilities (n, classes) or values (n,).

    A model of classes that has no probabilities gives its class 1. The function raises `NotFewError` for rows
    that the model refuses.
    """
    kind = type(model).__module__.partition(".")[0]
    if kind == "lightgbm":
        return _of_lightgbm(model, classes=classes)
    if kind == "xgboost":
        one = model if model.n_jobs == 1 else copy.deepcopy(model).set_params(n_jobs=1)
        return _by_methods(one, classes=classes)
    if kind == "catboost":
        score = model.predict_proba if classes else model.predict
        return lambda x: np.asarray(score(x, thread_count=1))
    if kind != "sklearn":
        raise NotFewError
    return _of_scikit_learn(model, classes=classes)


def _of_scikit_learn(model: Any, *, classes: bool) -> Scores:
    # scikit-learn takes a second to import
    from sklearn import ensemble
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.preprocessing import StandardScaler

    if type(model) is TransformedTargetRegressor:
        if type(model.transformer_) is not StandardScaler:
            raise NotFewError
        inner, scale, mean = few_scores_of(model.regressor_, classes=False), *_of_target(model.transformer_)
        return lambda x: inner(x) * scale + mean
    if is_forest(model):
        return _of_forest(model, classes=classes)
    if type(model) in (ensemble.HistGradientBoostingClassifier, ensemble.HistGradientBoostingRegressor):
        return _of_boosting(model, classes=classes)
    if (model.get_params(deep=False).get("n_jobs") or 1) != 1:
        model = copy.copy(model)  # what was fitted is shared
        model.n_jobs = 1
    return _if_finite(_by_methods(model, classes=classes))


def is_forest(model: Any) -> bool:
    """Whether it is a forest of scikit-learn."""
    from sklearn import ensemble  # scikit-learn takes a second to import

    classes = (ensemble.RandomForestClassifier, ensemble.ExtraTreesClassifier)
    return type(model) in (*classes, ensemble.RandomForestRegressor, ensemble.ExtraTreesRegressor)


def _of_target(scaler: Any) -> tuple[float, float]:
    return scaler.scale_[0], scaler.mean_[0]


def _by_methods(model: Any, *, classes: bool) -> Scores:
    """By the methods that a model has."""
    if not classes:
        return lambda x: model.predict(x)
    if hasattr(model, "predict_proba"):
        return lambda x: model.predict_proba(x)
    return lambda x: model.predict(x)[:, None] == model.classes_


def _if_finite(score: Scores) -> Scores:
    def checked(x: np.ndarray) -> np.ndarray:
        if not np.isfinite(x).all():
            raise NotFewError
        return score(x)

    return checked


def _of_forest(model: Any, *, classes: bool) -> Scores:
    """The mean of its trees, the first one first."""
    trees = [one.tree_ for one in model.estimators_]
    width = model.n_classes_ if classes else 1

    def score(x: np.ndarray) -> np.ndarray:
        x = np.ascontiguousarray(x, np.float32)
        if not np.isfinite(x).all():
            raise NotFewError
        total = np.zeros((len(x), width))
        for tree in trees:
            total += tree.predict(x)[:, :width]
        total /= len(trees)
        return total if classes else total[:, 0]

    return score


def _of_boosting(model: Any, *, classes: bool) -> Scores:
    """HistGradientBoosting, whose trees take microseconds each once threads are not asked for."""
    codes = _codes_of(model)
    bits, places = model._bin_mapper.make_known_categories_bitsets()
    loss, baseline = model._loss, model._baseline_prediction

    def score(x: np.ndarray) -> np.ndarray:
        x = codes(np.ascontiguousarray(x, np.float64))
        raw = np.zeros((len(x), model.n_trees_per_iteration_), baseline.dtype, order="F")
        raw += baseline
        for trees in model._predictors:
            for place, tree in enumerate(trees):
                raw[:, place] += tree.predict(x, bits, places, 1)
        found = loss.predict_proba(raw) if classes else loss.link.inverse(raw.ravel())
        return np.asarray(found)

    return score


def _codes_of(model: Any) -> Scores:
    """What it makes of leading columns of categories: their numbers, and nan of one that it does not know."""
    if model._preprocessor is None:
        return lambda x: x
    known = model._preprocessor.named_transformers_["encoder"].categories_
    tables = [
        {value: float(code) for code, value in enumerate(one.tolist()) if value == value} for one in known
    ]
    leading = np.arange(len(model.is_categorical_)) < len(known)
    if not np.array_equal(leading, model.is_categorical_):
        raise NotFewError

    def coded(x: np.ndarray) -> np.ndarray:
        x = x.copy()
        for place, table in enumerate(tables):
            x[:, place] = [table.get(value, np.nan) for value in x[:, place].tolist()]
        return x

    return coded


def _of_lightgbm(model: Any, *, classes: bool) -> Scores:
    booster = model.booster_

    def score(x: np.ndarray) -> np.ndarray:
        found = booster.predict(x, num_threads=1)
        return np.vstack((1.0 - found, found)).T if classes and found.ndim == 1 else found

    return score
