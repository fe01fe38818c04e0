"""Pipelines for tables: imputation, scaling, encoding and seven model families with their hyperparameters.

For the evaluator `pipeline`, which turns a configuration into a scikit-learn pipeline; it serves
classification and regression alike. Any subset of these parameters makes a valid space of one's own.
"""

from automl.space import Choice, Float, Int, Space

MODELS = ("linear", "knn", "svm", "random_forest", "extra_trees", "gradient_boosting", "mlp")
FORESTS = ["random_forest", "extra_trees"]
SCALED = {"model": ["linear", "knn", "svm", "mlp"]}
LINEAR, KNN, SVM, FOREST, BOOSTING, MLP = (
    {"model": family} for family in ("linear", "knn", "svm", FORESTS, "gradient_boosting", "mlp")
)

PLUGIN = Space(
    {
        "model": Choice(MODELS),
        "imputation": Choice(("mean", "median", "most_frequent")),
        "encoding": Choice(("one_hot", "ordinal")),
        "scaling": Choice(("none", "standard", "robust", "quantile"), when=SCALED),
        "linear_c": Float(1e-4, 1e4, log=True, when=LINEAR),
        "knn_neighbors": Int(1, 50, log=True, when=KNN),
        "knn_weights": Choice(("uniform", "distance"), when=KNN),
        "knn_power": Choice((1, 2), when=KNN),
        "svm_c": Float(1e-2, 1e3, log=True, when=SVM),
        "svm_gamma": Float(1e-4, 10.0, log=True, when=SVM),
        "forest_trees": Int(50, 300, step=50, when=FOREST),
        "forest_features": Float(0.1, 1.0, when=FOREST),
        "forest_leaf": Int(1, 20, log=True, when=FOREST),
        "boosting_rate": Float(0.01, 0.5, log=True, when=BOOSTING),
        "boosting_rounds": Int(50, 400, step=50, when=BOOSTING),
        "boosting_leaves": Int(4, 128, log=True, when=BOOSTING),
        "boosting_leaf": Int(2, 50, log=True, when=BOOSTING),
        "boosting_l2": Float(1e-6, 10.0, log=True, when=BOOSTING),
        "mlp_width": Int(16, 256, log=True, when=MLP),
        "mlp_depth": Int(1, 3, when=MLP),
        "mlp_alpha": Float(1e-6, 1e-1, log=True, when=MLP),
        "mlp_rate": Float(1e-4, 1e-1, log=True, when=MLP),
    },
    default={
        "model": "gradient_boosting",
        "imputation": "median",
        "encoding": "one_hot",
        "boosting_rate": 0.1,
        "boosting_rounds": 100,
        "boosting_leaves": 31,
        "boosting_leaf": 20,
        "boosting_l2": 1e-6,
    },
)
