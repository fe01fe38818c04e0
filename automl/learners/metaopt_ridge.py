"""Ridge heads (R2-D2, MetaOptNet-RR): the classifier of a task is the solution of a ridge regression.

Bertinetto et al. 2019, https://arxiv.org/abs/1805.08136; Lee et al. 2019, https://arxiv.org/abs/1904.03758.
With support features X (S, F), a column of ones added, and targets Y (labels as 0 and 1, or the values)

    W = Xᵀ (X Xᵀ + λ I)⁻¹ Y = (Xᵀ X + λ I)⁻¹ Xᵀ Y,    outputs = α · x W

whichever system is smaller is solved, and the outer gradient goes through the solution. λ and, for
classification, α are learned too, as logarithms.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from automl.contracts import TaskKind
from automl.learners.base import LearnerOptions
from automl.learners.layouts import Tensors
from automl.learners.metric import MetricLearner, one_hot


class MetaoptRidgeOptions(LearnerOptions):
    """λ and α (`ridge`, `scale`) at the start."""

    ridge: float = Field(1.0, gt=0)
    scale: float = Field(10.0, gt=0)


class MetaoptRidge(MetricLearner):
    """A differentiable closed-form ridge regression on learned features."""

    Options: ClassVar[type[LearnerOptions]] = MetaoptRidgeOptions
    options: MetaoptRidgeOptions
    kinds: ClassVar[frozenset[TaskKind]] = frozenset({"classification", "regression"})

    def initial(self) -> Tensors:
        """The backbone, log λ, and for classification log α."""
        parameters = super().initial() | {"log_ridge": torch.tensor(math.log(self.options.ridge))}
        if self.ways:
            parameters["log_scale"] = torch.tensor(math.log(self.options.scale))
        return parameters

    def fit(self, support: Tensor, targets: Tensor, ways: int) -> Tensors:
        """W, (…, F + 1, ways), or one column for regression."""
        y = one_hot(targets, ways, support) if ways else targets.unsqueeze(-1)
        return {"weight": ridge(_with_ones(support), y, self.parameters["log_ridge"].exp())}

    def scores(self, fitted: Tensors, query: Tensor) -> Tensor:
        """α · x W, or x W for regression."""
        outputs = _with_ones(query) @ fitted["weight"]
        return outputs * self.parameters["log_scale"].exp() if self.ways else outputs.squeeze(-1)


def ridge(x: Tensor, y: Tensor, penalty: Tensor) -> Tensor:
    """argmin_W ‖x W − y‖² + penalty · ‖W‖², (…, F, outputs), for x (…, S, F) and y (…, S, outputs)."""
    examples, features = x.shape[-2:]
    system = x @ x.mT if examples < features else x.mT @ x
    system = system + penalty * torch.eye(min(examples, features), dtype=x.dtype, device=x.device)
    solution: Tensor = torch.linalg.solve(system, y if examples < features else x.mT @ y)
    return x.mT @ solution if examples < features else solution


def _with_ones(features: Tensor) -> Tensor:
    return functional.pad(features, (0, 1), value=1.0)


PLUGIN = MetaoptRidge
