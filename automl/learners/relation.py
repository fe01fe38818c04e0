"""Relation networks: a learned metric scores how well a query goes with each class, trained by squared error.

Sung et al. 2018, https://arxiv.org/abs/1711.06025. With an embedding f, a relation network g and the examples
S_k of class k

    r_k(x) = σ( g([mean of f over S_k, f(x)]) ),    loss = mean over x, k of (r_k(x) − [y = k])²

Here g is a layer of `hidden` units with ReLU, then 8, then one, on feature vectors (the paper has two
convolutions before those 8, on feature maps, and sums f over S_k: with the mean other numbers of shots fit).
Logits are g before σ.
"""

from __future__ import annotations

import itertools
import math
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from automl.contracts import Episodes
from automl.learners.base import LearnerOptions
from automl.learners.layouts import Tensors
from automl.learners.metric import MetricLearner, class_means, one_hot

LAST = 8


class RelationOptions(LearnerOptions):
    """`hidden` units in the first layer of the relation network."""

    hidden: int = Field(64, ge=1)


class Relation(MetricLearner):
    """A learned comparison of query and class."""

    Options: ClassVar[type[LearnerOptions]] = RelationOptions
    options: RelationOptions

    def initial(self) -> Tensors:
        """The backbone and `relation.<layer>.weight` and `.bias`."""
        parameters = super().initial()
        sizes = [2 * self.backbone.features, self.options.hidden, LAST, 1]
        for layer, (before, after) in enumerate(itertools.pairwise(sizes)):
            weight = torch.randn(after, before, generator=self.generator) * math.sqrt(2 / before)
            parameters |= {f"relation.{layer}.weight": weight, f"relation.{layer}.bias": torch.zeros(after)}
        return parameters

    def fit(self, support: Tensor, targets: Tensor, ways: int) -> Tensors:
        """The mean features (…, ways, F) of each class."""
        return {"prototypes": class_means(support, targets, ways)}

    def scores(self, fitted: Tensors, query: Tensor) -> Tensor:
        """Logits g for each pair of query and class."""
        classes = fitted["prototypes"]
        shape = (*query.shape[:-1], *classes.shape[-2:])
        x = torch.cat([classes.unsqueeze(-3).expand(shape), query.unsqueeze(-2).expand(shape)], -1)
        for layer in range(3):
            x = functional.relu(x) if layer else x
            x = functional.linear(
                x, self.parameters[f"relation.{layer}.weight"], self.parameters[f"relation.{layer}.bias"]
            )
        return x.squeeze(-1)

    def task_losses(self, part: Episodes) -> Tensor:
        """Mean squared error of the relation scores of each task."""
        scores = self.part_scores(part).sigmoid()
        return (scores - one_hot(part.query_y, part.ways, scores)).square().mean((-2, -1))


PLUGIN = Relation
