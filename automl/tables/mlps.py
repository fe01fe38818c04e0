"""Multilayer perceptrons trained side by side; what is kept is one of scikit-learn's.

Networks that differ by their first weights and are trained by their own losses predict together, as in the
packed form of TabM (Gorishniy et al., ICLR 2025). A category has a column of its own, so its row of the
first layer is its embedding. The mean of their outputs is one wide perceptron whose later layers are
block-diagonal: nothing but scikit-learn and NumPy is needed to predict.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from automl.tables.setting import Fitting, Setting
from automl.tables.side_by_side import MEMBERS, Layers, trained
from automl.tables.values import Values


def mlps(c: Values, s: Setting) -> Any:
    """The perceptron of scikit-learn that will hold all members, not fitted."""
    # scikit-learn takes a second to import
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    family = MLPClassifier if s.classes else MLPRegressor
    return family(
        hidden_layer_sizes=(MEMBERS * c["mlps_width"],) * c["mlps_depth"] + (() if s.classes else (2,)),
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
    weights, biases = packed(layers, middle, spread)
    if labels is None:
        weights, biases = bounded_by(weights, biases, float(y.min()), float(y.max()))
    model.coefs_, model.intercepts_ = weights, biases


def packed(
    layers: Layers, middle: float = 0.0, spread: float = 1.0
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Weights and biases of the one perceptron whose outputs are the mean of the members'.

    Outputs are multiplied by `spread` and added to `middle`.
    """
    (first, bias), *between, (last, ends) = [(w.astype(np.float64), b.astype(np.float64)) for w, b in layers]
    narrow, members, wide = first.shape
    weights, biases = [first.reshape(narrow, members * wide)], [bias.ravel()]
    for weight, bias in between:
        _, narrow, wide = weight.shape
        blocks = np.zeros((members, narrow, members, wide))
        blocks[np.arange(members), :, np.arange(members)] = weight
        weights.append(blocks.reshape(members * narrow, members * wide))
        biases.append(bias.ravel())
    weights.append(last.reshape(-1, last.shape[-1]) * (spread / members))
    biases.append(ends.mean(axis=0) * spread + middle)
    return weights, biases


def bounded_by(
    weights: list[np.ndarray], biases: list[np.ndarray], low: float, high: float
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The same with an output f that stays between two values: low + max(f - low, 0) - max(f - high, 0).

    Of rows far from all others, networks make far too much; those of RealMLP stay in the range of the
    training targets, too (Holzmüller et al., NeurIPS 2024).
    """
    both = np.concatenate([weights[-1], weights[-1]], axis=1)
    ends = np.concatenate([biases[-1] - low, biases[-1] - high])
    last = np.array([[1.0], [-1.0]]), np.array([low])
    return [*weights[:-1], both, last[0]], [*biases[:-1], ends, last[1]]
