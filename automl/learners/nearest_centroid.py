"""SimpleShot: one embedding of all meta-train classes, then the nearest class mean.

Wang et al. 2019, https://arxiv.org/abs/1911.04623, its variant CL2N: with m the mean feature of the
meta-train images, features z become (z − m) / ‖z − m‖, class means are taken of those, and

    logit_k(x) = −‖z(x) − c_k‖²
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from automl.learners.joint import EmbeddingLearner, unit
from automl.learners.layouts import Tensors
from automl.learners.metric import class_means, squared_distances


class NearestCentroid(EmbeddingLearner):
    """Nearest class mean in an embedding trained by plain classification."""

    baseline: ClassVar[bool] = True

    def fit(self, support: Tensor, targets: Tensor, ways: int) -> Tensors:
        """The class means (…, ways, F)."""
        return {"prototypes": class_means(self._normal(support), targets, ways)}

    def scores(self, fitted: Tensors, query: Tensor) -> Tensor:
        """Negative squared Euclidean distances."""
        return -squared_distances(self._normal(query), fitted["prototypes"])

    def _normal(self, features: Tensor) -> Tensor:
        return unit(features if self.centre is None else features - self.centre)


PLUGIN = NearestCentroid
