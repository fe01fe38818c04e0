"""A good embedding is all you need: one embedding of all meta-train classes, then logistic regression.

Tian et al. 2020, https://arxiv.org/abs/2003.11539 (without distillation). On features z of length 1, for
each task

    min over W, b of  ½ ‖W‖² + C Σ_i cross-entropy(W z_i + b, y_i)

solved by Nesterov's method with the momentum of a strongly convex problem, for all tasks at once.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from automl.learners.base import LearnerOptions
from automl.learners.joint import EmbeddingLearner, unit
from automl.learners.layouts import Tensors
from automl.learners.metric import one_hot

PRECISION = 20  # steps for each unit of the square root of the condition number


class EmbeddingOptions(LearnerOptions):
    """`inverse_penalty`: C of the logistic regression."""

    inverse_penalty: float = Field(1.0, gt=0)


class Embedding(EmbeddingLearner):
    """Logistic regression on an embedding trained by plain classification."""

    Options: ClassVar[type[LearnerOptions]] = EmbeddingOptions
    baseline: ClassVar[bool] = True

    options: EmbeddingOptions

    def fit(self, support: Tensor, targets: Tensor, ways: int) -> Tensors:
        """W (…, ways, F) and b (…, ways)."""
        weight, bias = logistic_regression(
            unit(support), one_hot(targets, ways, support), self.options.inverse_penalty
        )
        return {"weight": weight, "bias": bias}

    def scores(self, fitted: Tensors, query: Tensor) -> Tensor:
        """W z + b."""
        return unit(query) @ fitted["weight"].mT + fitted["bias"].unsqueeze(-2)


@torch.no_grad()
def logistic_regression(x: Tensor, members: Tensor, c: float) -> tuple[Tensor, Tensor]:
    """W (…, ways, F) and b (…, ways) for x (…, S, F) of length at most 1 and labels as 0 and 1 (…, S, ways).

    The loss has curvature at most 1 + C·S in W and C·S in b (softmax ½, twice for their coupling), so those
    are the steps. At least it is 1 in W and about C·S / ways in b: their ratio is the condition number.
    """
    slope = c * x.shape[-2]
    root = math.sqrt(max(1 + slope, 2 * members.shape[-1]))
    momentum = (root - 1) / (root + 1)
    weight = x.new_zeros(*x.shape[:-2], members.shape[-1], x.shape[-1])
    bias = x.new_zeros(*x.shape[:-2], members.shape[-1])
    ahead_weight, ahead_bias = weight, bias
    for _ in range(math.ceil(PRECISION * root)):
        logits = x @ ahead_weight.mT + ahead_bias.unsqueeze(-2)
        errors = c * (logits.softmax(-1) - members)
        new_weight = ahead_weight - (ahead_weight + errors.mT @ x) / (1 + slope)
        new_bias = ahead_bias - errors.sum(-2) / slope
        ahead_weight = new_weight + momentum * (new_weight - weight)
        ahead_bias = new_bias + momentum * (new_bias - bias)
        weight, bias = new_weight, new_bias
    return weight, bias


PLUGIN = Embedding
