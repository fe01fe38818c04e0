"""Multilayer perceptrons trained side by side by torch; what is kept is one of scikit-learn's.

Networks that differ by their first weights and are trained by their own losses predict together, as in the
packed form of TabM (Gorishniy et al., ICLR 2025). A category has a column of its own, so its row of the
first layer is its embedding. The mean of their outputs is one wide perceptron whose later layers are
block-diagonal: nothing but scikit-learn and NumPy is needed to predict.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from automl.tables.setting import Fitting, Setting
from automl.tables.side_by_side import MEMBERS, trained
from automl.tables.values import Values


def mlps(c: Values, s: Setting) -> Any:
    """The perceptron of scikit-learn that will hold all members, not fitted."""
    # scikit-learn takes a second to import
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    family = MLPClassifier if s.classes else MLPRegressor
    return family(
        hidden_layer_sizes=(MEMBERS * c["mlps_width"],) * c["mlps_depth"],
        alpha=c["mlps_decay"],
        learning_rate_init=c["mlps_rate"],
        random_state=s.seed,
    )


def fit_mlps(model: Any, rows: Fitting, s: Setting, c: Values) -> None:
    """Fit the members to `rows` and put what they are together into `model`."""
    labels = np.unique(rows.y) if s.classes else None
    y = rows.y if labels is None else np.searchsorted(labels, rows.y)
    middle, spread = (0.0, 1.0) if s.classes else (float(y.mean()), float(y.std()) or 1.0)
    scaled = Fitting(rows.x, y if s.classes else (y - middle) / spread, rows.weights)
    layers = trained(scaled, s, c, outputs=1 if labels is None or len(labels) <= 2 else len(labels))
    first = slice(0, min(len(y), MEMBERS))
    # a step of its own lets scikit-learn set all that its perceptrons have; its weights are not used
    if labels is None:
        model.partial_fit(rows.x[first], rows.y[first])
    else:
        model.partial_fit(rows.x[first], rows.y[first], classes=labels)
    for name in ("_optimizer", "loss_curve_"):
        vars(model).pop(name, None)
    model.coefs_, model.intercepts_ = packed(layers, middle, spread)


def packed(
    layers: Sequence[tuple[np.ndarray, np.ndarray]], middle: float = 0.0, spread: float = 1.0
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Weights and biases of the one perceptron whose outputs are the mean of the members'.

    `layers`: weights (members, in, out) and biases (members, out) of each. Outputs are multiplied by `spread`
    and added to `middle`.
    """
    weights, biases = [], []
    for number, (weight, bias) in enumerate(layers):
        weight, bias = weight.astype(np.float64), bias.astype(np.float64)
        members, narrow, wide = weight.shape
        if number == len(layers) - 1:
            weights.append(weight.reshape(members * narrow, wide) * (spread / members))
            biases.append(bias.mean(axis=0) * spread + middle)
            continue
        if number == 0:
            weights.append(weight.transpose(1, 0, 2).reshape(narrow, members * wide))
        else:
            blocks = np.zeros((members, narrow, members, wide))
            blocks[np.arange(members), :, np.arange(members)] = weight
            weights.append(blocks.reshape(members * narrow, members * wide))
        biases.append(bias.ravel())
    return weights, biases
