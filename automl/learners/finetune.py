"""The usual transfer: train on everything together, then descend on the support set.

Chen et al. 2019, https://arxiv.org/abs/1904.04232 ("Baseline"), for classification: the features of a network
trained on all meta-train classes stay, and a new linear head, from zero, takes `inner_steps` of gradient
descent at `inner_rate`. For regression: joint training on all functions, then all weights descend, along
gradients no longer than 1 (Pascanu et al. 2013, https://arxiv.org/abs/1211.5063): large rates diverge else.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from automl.contracts import Episodes
from automl.learners.base import LearnerOptions, Predictor
from automl.learners.inner_loop import GradientAdaptation, InnerLoopOptions
from automl.learners.joint import JointLearner
from automl.learners.layouts import Tensors

HEAD = ("head.weight", "head.bias")


class FinetuneOptions(InnerLoopOptions):
    """`inner_steps` on the support set at `inner_rate`."""

    inner_steps: int = Field(100, ge=1)


class Finetune(JointLearner, GradientAdaptation):
    """Joint training, then gradient steps."""

    Options: ClassVar[type[LearnerOptions]] = FinetuneOptions
    baseline: ClassVar[bool] = True

    options: FinetuneOptions

    def adapted(self) -> list[str]:
        """The head, for regression everything."""
        return list(HEAD) if self.ways else self.network_names()

    def start(self, part: Episodes) -> Tensors:
        """What was learned, with a head of zeros for the classes of the part."""
        if not self.ways:
            return super().start(part)
        ahead = part.support_x.shape[:-2]  # the part is encoded
        features = part.support_x.shape[-1]
        return {
            "head.weight": part.support_x.new_zeros(*ahead, part.ways, features),
            "head.bias": part.support_x.new_zeros(*ahead, part.ways),
        }

    def encode(self, part: Episodes) -> Episodes:
        """Features in place of inputs, for regression the inputs."""
        if not self.ways:
            return part
        support, query = (self.features(self.parameters, x) for x in (part.support_x, part.query_x))
        return replace(part, support_x=support, query_x=query)

    def support_gradients(self, params: Tensors, x: Tensor, y: Tensor) -> Tensors:
        """∇ L(params) on examples; for regression, that of each task shortened to length 1."""
        gradients = super().support_gradients(params, x, y)
        if self.ways:
            return gradients
        ahead = y.dim() - 1  # 1 with a task dimension
        squares = [gradient.flatten(ahead).square().sum(-1) for gradient in gradients.values()]
        factor = torch.stack(squares).sum(0).rsqrt().clamp(max=1.0)
        return {
            name: factor.reshape(*factor.shape, *[1] * (gradient.dim() - ahead)) * gradient
            for name, gradient in gradients.items()
        }

    def run(self, params: Tensors, x: Tensor, support_x: Tensor | None = None) -> Tensor:
        """Outputs of the head for features, for regression of the network for inputs."""
        return self.head(params, x) if self.ways else self.outputs(params, x, support_x)

    @torch.no_grad()
    def adapt(self, support_x: Tensor, support_y: Tensor, *, steps: int | None = None) -> Predictor:
        """Adapt to one task from (S, *shape), (S,), labels 0 … ways-1, however many, by `steps`."""
        if not self.ways:
            return super().adapt(support_x, support_y, steps=steps)
        features = self.features(self.parameters, support_x)
        part = Episodes(features, support_y, features, support_y, int(support_y.max()) + 1)
        params = self.solve(part, steps)

        @torch.no_grad()
        def predict(x: Tensor) -> Tensor:
            return self.head(params, self.features(self.parameters, x))

        return predict


PLUGIN = Finetune
