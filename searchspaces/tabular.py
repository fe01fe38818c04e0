"""Pipelines for tables: imputation, scaling, encoding and eight model families with their hyperparameters.

For the evaluator `pipeline`, which turns a configuration into a scikit-learn pipeline; it serves
classification and regression alike. Any subset of these parameters makes a valid space of one's own.
"""

from __future__ import annotations

from automl.contracts import Config
from automl.searchspaces.tabular_portfolio import PORTFOLIO
from automl.space import Choice, Float, Int, Parameter, Space

MODELS = ("linear", "knn", "svm", "random_forest", "extra_trees", "gradient_boosting", "mlp", "mlps")
SCALED = ["linear", "knn", "svm", "mlp", "mlps"]
FORESTS = ["random_forest", "extra_trees"]
DEFAULT: Config = {
    "model": "gradient_boosting",
    "rare": 1,
    "boosting_encoding": "native",
    "boosting_rate": 0.1,
    "boosting_rounds": 100,
    "boosting_patience": 10,
    "boosting_leaves": 31,
    "boosting_leaf": 20,
    "boosting_features": 1.0,
    "boosting_l2": 1e-6,
    "text": "words",
}


def parameters(models: tuple[str, ...]) -> dict[str, Parameter]:
    """The parameters of a space of `models`, those of `MODELS` and families that boost."""
    boosters = [model for model in models if model not in (*SCALED, *FORESTS)]
    others = {"model": [*SCALED, *FORESTS]}
    linear, knn, svm, mlp, mlps = ({"model": family} for family in SCALED)
    forest, boosting = {"model": FORESTS}, {"model": boosters}
    return {
        "model": Choice(models),
        "rare": Choice((1, 10)),
        "imputation": Choice(("mean", "median", "most_frequent"), when=others),
        "indicators": Choice((False, True), when=others),
        "encoding": Choice(("one_hot", "ordinal", "target"), when=others),
        "scaling": Choice(("standard", "robust", "quantile"), when={"model": SCALED}),
        "clipping": Choice((False, True), when={"scaling": ["standard", "robust"]}),
        "linear_c": Float(1e-4, 1e4, log=True, when=linear),
        "knn_neighbors": Int(1, 50, log=True, when=knn),
        "knn_weights": Choice(("uniform", "distance"), when=knn),
        "knn_power": Choice((1, 2), when=knn),
        "svm_c": Float(1e-2, 1e3, log=True, when=svm),
        "svm_gamma": Float(1e-4, 10.0, log=True, when=svm),
        "forest_trees": Int(50, 300, step=50, when=forest),
        "forest_features": Float(0.1, 1.0, when=forest),
        "forest_leaf": Int(1, 20, log=True, when=forest),
        "boosting_encoding": Choice(("native", "one_hot", "target"), when=boosting),
        "boosting_rate": Float(0.01, 0.5, log=True, when=boosting),
        "boosting_rounds": Int(50, 2000, log=True, when=boosting),
        "boosting_patience": Choice((0, 10, 30), when=boosting),
        "boosting_leaves": Int(4, 128, log=True, when=boosting),
        "boosting_leaf": Int(2, 50, log=True, when=boosting),
        "boosting_features": Float(0.2, 1.0, when=boosting),
        "boosting_l2": Float(1e-6, 10.0, log=True, when=boosting),
        "mlp_width": Int(16, 256, log=True, when=mlp),
        "mlp_depth": Int(1, 3, when=mlp),
        "mlp_alpha": Float(1e-6, 1e-1, log=True, when=mlp),
        "mlp_rate": Float(1e-4, 1e-1, log=True, when=mlp),
        "mlps_width": Int(16, 128, log=True, when=mlps),
        "mlps_depth": Int(1, 3, when=mlps),
        "mlps_rate": Float(3e-4, 3e-2, log=True, when=mlps),
        "mlps_dropout": Float(0.0, 0.5, when=mlps),
        "mlps_decay": Float(1e-4, 1.0, log=True, when=mlps),
        "text": Choice(("words", "characters")),
    }


PLUGIN = Space(parameters(MODELS), default=DEFAULT).with_portfolio(PORTFOLIO)
