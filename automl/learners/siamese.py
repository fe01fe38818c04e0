"""Siamese networks: learn whether two images show the same class; N ways go to the best match.

Koch, Zemel & Salakhutdinov 2015, "Siamese Neural Networks for One-shot Image Recognition". With twins
h(x) = σ(W f(x) + b) of `units` numbers

    p(x, x') = σ( Σ_j α_j |h_j(x) − h_j(x')| + β )

Trained by cross-entropy on whether a pair is of one class: each query with each support example, pairs of one
class and of two weighing the same (the paper draws half of each). The logit of a class is that of its best
matching example.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from automl.contracts import Episodes
from automl.learners.base import LearnerOptions
from automl.learners.layouts import Tensors
from automl.learners.metric import MetricLearner


class SiameseOptions(LearnerOptions):
    """`units` of the last layer of each twin."""

    units: int = Field(4096, ge=1)


class Siamese(MetricLearner):
    """Verification of pairs by a weighted L1 distance."""

    Options: ClassVar[type[LearnerOptions]] = SiameseOptions
    options: SiameseOptions

    def initial(self) -> Tensors:
        """The backbone, the twins' last layer, and α and β."""
        features, units = self.backbone.features, self.options.units
        return {
            **super().initial(),
            "twin.weight": torch.randn(units, features, generator=self.generator) / math.sqrt(features),
            "twin.bias": torch.zeros(units),
            "pair.weight": torch.full((units,), -1 / math.sqrt(units)),  # a large distance means different
            "pair.bias": torch.zeros(1),
        }

    def fit(self, support: Tensor, targets: Tensor, ways: int) -> Tensors:
        """The twins (…, S, units) of the support set, and of which class each is, (…, S, ways)."""
        return {"twins": self.twins(support), "members": functional.one_hot(targets, ways).bool()}

    def scores(self, fitted: Tensors, query: Tensor) -> Tensor:
        """Of each class the logit of its best match."""
        pairs = self.pair_logits(self.twins(query), fitted["twins"]).unsqueeze(-1)
        others = ~fitted["members"].unsqueeze(-3)
        return pairs.masked_fill(others, -math.inf).amax(-2)

    def twins(self, features: Tensor) -> Tensor:
        """Twins h (…, n, units) of features (…, n, F)."""
        return functional.linear(
            features, self.parameters["twin.weight"], self.parameters["twin.bias"]
        ).sigmoid()

    def pair_logits(self, a: Tensor, b: Tensor) -> Tensor:
        """Logits of p (…, n, m) for twins (…, n, units) and (…, m, units)."""
        distances = (a.unsqueeze(-2) - b.unsqueeze(-3)).abs()
        return distances @ self.parameters["pair.weight"] + self.parameters["pair.bias"]

    def task_losses(self, part: Episodes) -> Tensor:
        """Mean cross-entropy of the pairs of each task, same and different weighing alike."""
        support, stats = self.encode_support(part.support_x)
        query = self.encode_query(part.query_x, stats)
        logits = self.pair_logits(self.twins(query), self.twins(support))
        same = (part.query_y.unsqueeze(-1) == part.support_y.unsqueeze(-2)).to(logits.dtype)
        losses = functional.binary_cross_entropy_with_logits(logits, same, reduction="none")
        pairs = (-2, -1)
        different = 1 - same
        return (losses * same).sum(pairs) / (2 * same.sum(pairs)) + (losses * different).sum(pairs) / (
            2 * different.sum(pairs)
        )


PLUGIN = Siamese
