"""Configurations of pipelines for tables among which `learn_portfolio.py` chooses: by hand, and at random."""

from __future__ import annotations

import random

from automl import plugins
from automl.contracts import Config

DRAWN = 20
CLIPPED = ("standard", "robust")


def candidates() -> list[Config]:
    """Configurations of the space with all families: by hand, then at random."""
    space = plugins.load("spaces", "tabular_boosters")
    default = space.default_config()
    found = [default, *map(default.__or__, _boosting())]
    for model in ("lightgbm", "xgboost", "catboost"):
        rates = (
            {"boosting_rate": 0.05, "boosting_rounds": 500},
            {"boosting_rate": 0.1, "boosting_rounds": 300},
        )
        shapes = ({"boosting_leaves": 31, "boosting_leaf": 20}, {"boosting_leaves": 64, "boosting_leaf": 5})
        shapes = (*shapes, {"boosting_leaves": 8, "boosting_leaf": 5, "boosting_features": 0.6})
        found += [
            {**default, "model": model, "boosting_patience": 30, **rates[i % 2], **s}
            for i, s in enumerate(shapes)
        ]
    found += [
        {**_plain("extra_trees", code), "forest_trees": 200, "forest_features": f, "forest_leaf": leaf}
        for code, f, leaf in (
            ("ordinal", 0.5, 1),
            ("one_hot", 0.3, 1),
            ("target", 1.0, 2),
            ("target", 0.7, 5),
        )
    ]
    found += [
        {**_plain("random_forest", code), "forest_trees": 200, "forest_features": f, "forest_leaf": leaf}
        for code, f, leaf in (("ordinal", 0.3, 1), ("target", 0.5, 2), ("one_hot", 0.3, 5))
    ]
    found += [
        {**_plain("linear", "one_hot"), "scaling": scaling, "linear_c": c}
        for scaling, c in (
            ("standard", 0.01),
            ("standard", 0.1),
            ("standard", 1.0),
            ("quantile", 0.3),
            ("quantile", 10.0),
        )
    ]
    found += [
        {**_plain("svm", "one_hot"), "scaling": scaling, "svm_c": c, "svm_gamma": g}
        for scaling, c, g in (
            ("standard", 1.0, 0.03),
            ("standard", 10.0, 0.01),
            ("quantile", 10.0, 0.1),
            ("standard", 100.0, 0.003),
        )
    ]
    found += [
        {
            **_plain("mlp", "one_hot"),
            "scaling": scaling,
            "mlp_width": w,
            "mlp_depth": d,
            "mlp_alpha": a,
            "mlp_rate": 0.003,
        }
        for scaling, w, d, a in (
            ("standard", 64, 1, 1e-2),
            ("quantile", 128, 2, 1e-3),
            ("standard", 32, 2, 1e-1),
        )
    ]
    found += [
        {
            **_plain("knn", "one_hot"),
            "scaling": "quantile",
            "knn_neighbors": k,
            "knn_weights": "distance",
            "knn_power": p,
        }
        for k, p in ((7, 1), (20, 1), (5, 2))
    ]
    found += [{**_plain("mlps", "one_hot"), **one} for one in _networks()]
    found = _clipped(found)
    rng = random.Random(0)
    own = plugins.load("spaces", "tabular")
    found += [own.sample(rng) for _ in range(DRAWN)]
    for config in found:
        space.check(config)
    return found


def large_candidates() -> list[Config]:
    """The default, then configurations for tables of many rows: all by hand."""
    space = plugins.load("spaces", "tabular_boosters")
    default = space.default_config()
    shapes = [
        {"rate": 0.05, "rounds": 1000, "leaves": 31, "leaf": 20, "features": 0.5},
        {"rate": 0.05, "rounds": 1000, "leaves": 64, "leaf": 20, "features": 0.8, "encoding": "target"},
        {"rate": 0.03, "rounds": 2000, "leaves": 128, "leaf": 5, "features": 0.5},
        {"rate": 0.05, "rounds": 1000, "leaves": 16, "leaf": 5, "features": 0.7, "l2": 1.0},
    ]
    quick = {"rate": 0.1, "rounds": 1000, "leaves": 64, "leaf": 20}
    boosted = [(model, shape) for model in ("gradient_boosting", "lightgbm", "xgboost") for shape in shapes]
    boosted += [("catboost", quick), ("catboost", {**quick, "rate": 0.05, "rounds": 2000})]
    found = [default]
    for model, shape in boosted:
        changed = {f"boosting_{name}": value for name, value in {"patience": 30, **shape}.items()}
        found.append({**default, "model": model, **changed})
    found += [
        {**_plain("extra_trees", "ordinal"), "forest_trees": 150, "forest_features": 0.5, "forest_leaf": 1},
        {**_plain("extra_trees", "target"), "forest_trees": 150, "forest_features": 1.0, "forest_leaf": 2},
        {**_plain("random_forest", "ordinal"), "forest_trees": 100, "forest_features": 0.4, "forest_leaf": 2},
    ]
    networks = ({}, {"scaling": "quantile", "mlps_rate": 0.01}, {"mlps_width": 128})
    found += [{**_plain("mlps", "one_hot"), **_networks()[0], **one} for one in networks]
    found = _clipped(found)
    for config in found:
        space.check(config)
    return found


def _clipped(configs: list[Config]) -> list[Config]:
    return [{**one, "clipping": True} if one.get("scaling") in CLIPPED else one for one in configs]


def _boosting() -> list[Config]:
    encoded = ({"boosting_encoding": "target"}, {"boosting_encoding": "one_hot"})
    slow = {"boosting_rate": 0.05, "boosting_rounds": 300, "boosting_patience": 30}
    return [
        *encoded,
        {"boosting_patience": 0},
        {**slow, "boosting_leaves": 16, "boosting_leaf": 5, "boosting_features": 0.5},
        {**slow, "boosting_leaves": 64, "boosting_leaf": 10, "boosting_features": 0.3, "boosting_l2": 1.0},
        {**slow, "boosting_leaves": 6, "boosting_leaf": 10, "boosting_features": 0.7, "boosting_l2": 0.1},
        {**slow, "boosting_leaves": 31, "boosting_patience": 0, "boosting_rounds": 200, "boosting_leaf": 5},
        {"boosting_rate": 0.2, "boosting_leaves": 8, "boosting_leaf": 5, "boosting_features": 0.6},
        {
            **slow,
            "boosting_leaves": 31,
            "boosting_encoding": "target",
            "boosting_features": 0.5,
            "boosting_leaf": 10,
        },
        {
            **slow,
            "boosting_leaves": 5,
            "boosting_patience": 0,
            "boosting_rounds": 300,
            "boosting_encoding": "one_hot",
        },
    ]


def _networks() -> list[Config]:
    usual = {
        "scaling": "standard",
        "mlps_width": 64,
        "mlps_depth": 2,
        "mlps_rate": 0.003,
        "mlps_dropout": 0.1,
        "mlps_decay": 0.01,
    }
    return [
        usual,
        {**usual, "mlps_width": 32, "mlps_rate": 0.01},
        {**usual, "mlps_dropout": 0.3},
        {**usual, "scaling": "quantile", "mlps_rate": 0.01},
        {**usual, "mlps_depth": 1, "mlps_rate": 0.01, "mlps_dropout": 0.0},
        {**usual, "mlps_width": 32, "mlps_depth": 3, "mlps_dropout": 0.0, "mlps_decay": 0.3},
    ]


def _plain(model: str, encoding: str) -> Config:
    return {
        "model": model,
        "rare": 1,
        "text": "words",
        "imputation": "median",
        "indicators": encoding == "target",
        "encoding": encoding,
    }
