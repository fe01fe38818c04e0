"""The families of models that a configuration can name, for classification and regression."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from automl.tables import boosters, mlps
from automl.tables.setting import Fitting, Setting
from automl.tables.values import Values

LIBRARIES: Final = (  # which families and metrics import late
    *("sklearn.calibration", "sklearn.compose", "sklearn.ensemble", "sklearn.impute", "sklearn.metrics"),
    *("sklearn.model_selection", "sklearn.neighbors", "sklearn.neural_network", "sklearn.svm"),
    "automl.tables.skops_alone",
)


@dataclass(frozen=True)
class Family:
    """`make(config, setting)` is a model of scikit-learn's conventions, not fitted yet.

    `scaled`: it needs numbers of one scale. `boosts`: it may stop early on rows held out. `fit`: of a model
    that scikit-learn does not fit, `fit(model, rows, setting, config)`; it takes targets as they are.
    `signs`: the parameters that let predictions rise (1) or fall (-1) with each feature, or do either (0);
    None: it has none. `weighted`: rows may count more or less.
    """

    make: Callable[[Values, Setting], Any]
    scaled: bool = False
    boosts: bool = False
    fit: Callable[[Any, Fitting, Setting, Values], None] | None = None
    signs: Callable[[Sequence[int]], dict[str, Any]] | None = None
    weighted: bool = True


def _linear(c: Values, s: Setting) -> Any:
    from sklearn.linear_model import LogisticRegression, Ridge  # scikit-learn takes a second to import

    if s.classes:
        return LogisticRegression(C=c["linear_c"], max_iter=500, random_state=s.seed)
    return Ridge(alpha=1 / c["linear_c"], random_state=s.seed)


def _knn(c: Values, s: Setting) -> Any:
    # scikit-learn takes a second to import
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    family = KNeighborsClassifier if s.classes else KNeighborsRegressor
    neighbours = min(c["knn_neighbors"], s.rows)
    return family(neighbours, weights=c["knn_weights"], p=c["knn_power"], n_jobs=s.threads)


def _svm(c: Values, s: Setting) -> Any:
    from sklearn.svm import SVC, SVR  # scikit-learn takes a second to import

    if s.classes:
        return SVC(C=c["svm_c"], gamma=c["svm_gamma"], random_state=s.seed)
    return SVR(C=c["svm_c"], gamma=c["svm_gamma"])


def _forest(c: Values, s: Setting) -> Any:
    from sklearn import ensemble  # scikit-learn takes a second to import

    if c["model"] == "random_forest":
        family = ensemble.RandomForestClassifier if s.classes else ensemble.RandomForestRegressor
    else:
        family = ensemble.ExtraTreesClassifier if s.classes else ensemble.ExtraTreesRegressor
    return family(
        n_estimators=c["forest_trees"],
        max_features=c["forest_features"],
        min_samples_leaf=c["forest_leaf"],
        n_jobs=s.threads,
        random_state=s.seed,
    )


def _boosting(c: Values, s: Setting) -> Any:
    # scikit-learn takes a second to import
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    family = HistGradientBoostingClassifier if s.classes else HistGradientBoostingRegressor
    patience = c["boosting_patience"]
    stopping = {"n_iter_no_change": patience, "validation_fraction": boosters.HELD} if patience else {}
    return family(
        learning_rate=c["boosting_rate"],
        max_iter=c["boosting_rounds"],
        max_leaf_nodes=c["boosting_leaves"],
        min_samples_leaf=c["boosting_leaf"],
        max_features=c["boosting_features"],
        l2_regularization=c["boosting_l2"],
        categorical_features=list(range(s.categories)) or None,
        early_stopping=bool(patience),
        random_state=s.seed,
        **stopping,
    )


def _mlp(c: Values, s: Setting) -> Any:
    from sklearn.neural_network import MLPClassifier, MLPRegressor  # scikit-learn takes a second to import

    family = MLPClassifier if s.classes else MLPRegressor
    return family(
        hidden_layer_sizes=(c["mlp_width"],) * c["mlp_depth"],
        alpha=c["mlp_alpha"],
        learning_rate_init=c["mlp_rate"],
        max_iter=100,
        random_state=s.seed,
    )


def _signs(signs: Sequence[int]) -> dict[str, Any]:
    return {"monotone_constraints": signs}


FAMILIES: dict[str, Family] = {
    "linear": Family(_linear, scaled=True),
    "knn": Family(_knn, scaled=True, weighted=False),
    "svm": Family(_svm, scaled=True),
    "random_forest": Family(_forest),
    "extra_trees": Family(_forest),
    "gradient_boosting": Family(_boosting, boosts=True, signs=lambda signs: {"monotonic_cst": signs}),
    "lightgbm": Family(boosters.lightgbm, boosts=True, fit=boosters.fit_lightgbm, signs=_signs),
    "xgboost": Family(
        boosters.xgboost, boosts=True, fit=boosters.fit_xgboost, signs=lambda signs: _signs(tuple(signs))
    ),
    "catboost": Family(boosters.catboost, boosts=True, fit=boosters.fit_catboost, signs=_signs),
    "mlp": Family(_mlp, scaled=True),
    "mlps": Family(mlps.mlps, scaled=True, fit=mlps.fit_mlps),
}
