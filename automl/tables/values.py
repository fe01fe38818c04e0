"""The values of a configuration, completed by defaults, and the error of one that no pipeline has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias, TypeVar

from automl.contracts import Config, UserError

T = TypeVar("T")
Values: TypeAlias = Mapping[str, Any]  # a configuration completed by the defaults; scikit-learn has no types

# what a configuration leaves out has these values; those of added parameters change nothing
DEFAULTS: Final[Config] = {
    "model": "gradient_boosting",
    "imputation": "median",
    "indicators": False,
    "encoding": "one_hot",
    "rare": 1,
    "scaling": "standard",
    "clipping": False,
    "linear_c": 1.0,
    "knn_neighbors": 5,
    "knn_weights": "uniform",
    "knn_power": 2,
    "svm_c": 1.0,
    "svm_gamma": 0.1,
    "forest_trees": 100,
    "forest_features": 0.5,
    "forest_leaf": 1,
    "boosting_encoding": None,
    "boosting_rate": 0.1,
    "boosting_rounds": 100,
    "boosting_patience": 0,
    "boosting_leaves": 31,
    "boosting_leaf": 20,
    "boosting_features": 1.0,
    "boosting_l2": 0.0,
    "mlp_width": 64,
    "mlp_depth": 1,
    "mlp_alpha": 1e-4,
    "mlp_rate": 1e-3,
    "mlps_width": 64,
    "mlps_depth": 2,
    "mlps_rate": 3e-3,
    "mlps_dropout": 0.1,
    "mlps_decay": 1e-2,
    "text": "words",
}


def completed(config: Config) -> Values:
    """`config` with defaults for what it leaves out. Raises `UserError` for a parameter of no pipeline."""
    strange = sorted(set(config) - set(DEFAULTS))
    if strange:
        raise UserError(
            f"a space for pipelines must have parameters among {', '.join(DEFAULTS)}, but got "
            f"{', '.join(strange)}; rename or remove them"
        )
    return {**DEFAULTS, **config}


def choice(name: str, config: Values, known: Mapping[str, T]) -> T:
    """The entry of `known` that the configuration names. Raises `UserError` when there is none."""
    if config[name] not in known:
        raise unknown(name, config, list(known))
    return known[config[name]]


def unknown(name: str, config: Values, known: list[str]) -> UserError:
    """The error of a value that no pipeline has."""
    return UserError(
        f"{name} must be one of {', '.join(known)}, but got {config[name]!r}; change the search space"
    )
