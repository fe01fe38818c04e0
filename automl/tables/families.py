"""The families of scikit-learn models that a configuration can name, for classification and regression."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from automl.contracts import UserError

Values: TypeAlias = Mapping[str, Any]  # a configuration completed by the defaults; scikit-learn has no types


def _linear(c: Values, classify: bool, seed: int, _rows: int) -> Any:
    from sklearn.linear_model import LogisticRegression, Ridge  # scikit-learn takes a second to import

    if classify:
        return LogisticRegression(C=c["linear_c"], max_iter=500, random_state=seed)
    return Ridge(alpha=1 / c["linear_c"], random_state=seed)


def _knn(c: Values, classify: bool, _seed: int, rows: int) -> Any:
    # scikit-learn takes a second to import
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    family = KNeighborsClassifier if classify else KNeighborsRegressor
    return family(min(c["knn_neighbors"], rows), weights=c["knn_weights"], p=c["knn_power"])


def _svm(c: Values, classify: bool, seed: int, _rows: int) -> Any:
    from sklearn.svm import SVC, SVR  # scikit-learn takes a second to import

    if classify:
        return SVC(C=c["svm_c"], gamma=c["svm_gamma"], random_state=seed)
    return SVR(C=c["svm_c"], gamma=c["svm_gamma"])


def _forest(c: Values, classify: bool, seed: int, _rows: int) -> Any:
    from sklearn import ensemble  # scikit-learn takes a second to import

    if c["model"] == "random_forest":
        family = ensemble.RandomForestClassifier if classify else ensemble.RandomForestRegressor
    else:
        family = ensemble.ExtraTreesClassifier if classify else ensemble.ExtraTreesRegressor
    return family(
        n_estimators=c["forest_trees"],
        max_features=c["forest_features"],
        min_samples_leaf=c["forest_leaf"],
        n_jobs=1,
        random_state=seed,
    )


def _boosting(c: Values, classify: bool, seed: int, _rows: int) -> Any:
    # scikit-learn takes a second to import
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    family = HistGradientBoostingClassifier if classify else HistGradientBoostingRegressor
    return family(
        learning_rate=c["boosting_rate"],
        max_iter=c["boosting_rounds"],
        max_leaf_nodes=c["boosting_leaves"],
        min_samples_leaf=c["boosting_leaf"],
        l2_regularization=c["boosting_l2"],
        early_stopping=False,
        random_state=seed,
    )


def _mlp(c: Values, classify: bool, seed: int, _rows: int) -> Any:
    from sklearn.neural_network import MLPClassifier, MLPRegressor  # scikit-learn takes a second to import

    family = MLPClassifier if classify else MLPRegressor
    return family(
        hidden_layer_sizes=(c["mlp_width"],) * c["mlp_depth"],
        alpha=c["mlp_alpha"],
        learning_rate_init=c["mlp_rate"],
        max_iter=100,
        random_state=seed,
    )


FAMILIES: dict[str, Callable[[Values, bool, int, int], Any]] = {
    "linear": _linear,
    "knn": _knn,
    "svm": _svm,
    "random_forest": _forest,
    "extra_trees": _forest,
    "gradient_boosting": _boosting,
    "mlp": _mlp,
}


def choice(name: str, config: Values, known: dict[str, Callable[..., Any]]) -> Callable[..., Any]:
    """The entry of `known` that the configuration names. Raises `UserError` when there is none."""
    if config[name] not in known:
        raise unknown(name, config, list(known))
    return known[config[name]]


def unknown(name: str, config: Values, known: list[str]) -> UserError:
    """The error of a value that no pipeline has."""
    return UserError(
        f"{name} must be one of {', '.join(known)}, but got {config[name]!r}; change the search space"
    )
