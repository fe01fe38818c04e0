"""Prototypical networks: a class is the mean of its embedded examples, and the nearest one wins.

Snell, Swersky & Zemel 2017, https://arxiv.org/abs/1703.05175. With an embedding f and the support examples
S_k of class k

    c_k = (1/|S_k|) Σ f(x_i),    logit_k(x) = −‖f(x) − c_k‖²

The paper trains with more ways than it tests with (60 against 5 on Omniglot) and as many shots; Adam at 1e-3,
halved from time to time (here `decay`).
"""

from __future__ import annotations

from torch import Tensor

from automl.learners.layouts import Tensors
from automl.learners.metric import MetricLearner, class_means, squared_distances


class Protonet(MetricLearner):
    """Nearest class mean in a learned embedding."""

    def fit(self, support: Tensor, targets: Tensor, ways: int) -> Tensors:
        """The prototypes (…, ways, F)."""
        return {"prototypes": class_means(support, targets, ways)}

    def scores(self, fitted: Tensors, query: Tensor) -> Tensor:
        """Negative squared Euclidean distances."""
        return -squared_distances(query, fitted["prototypes"])


PLUGIN = Protonet
