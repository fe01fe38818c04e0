"""GDAS: one operation per edge is drawn by a hard Gumbel-softmax, and only the drawn ones are computed.

Dong & Yang 2019, https://arxiv.org/abs/1910.04465. With Gumbel noise g = −log(−log u) and a temperature τ
that falls linearly from 10 to 0.1 over the search, each forward mixes

    h = one_hot(argmax_o p_o),   p = softmax((log softmax(α) + g) / τ)

and its gradient is that of the soft p (straight through): ∂L/∂α = Σ_o ∂L/∂h_o · ∂p_o/∂α. What was not drawn
is not computed, so ∂L/∂h_o is known for the drawn operation alone and counts as 0 for the others.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from automl.supernets.base import Mixture, SearchOptions, WeightSharing


class GdasOptions(SearchOptions):
    """`tau_start`, `tau_end`: temperature at the start and the end of the search."""

    tau_start: float = Field(10.0, gt=0)
    tau_end: float = Field(0.1, gt=0)


class Gdas(WeightSharing):
    """Differentiable architecture sampler."""

    Options: ClassVar[type[SearchOptions]] = GdasOptions
    options: GdasOptions

    @property
    def tau(self) -> float:
        """The present temperature."""
        return self.options.tau_start + (self.options.tau_end - self.options.tau_start) * self.progress

    def probabilities(self) -> Tensor:
        """One draw of p: (edges, operations), rows sum to 1."""
        uniform = torch.rand(self.active.shape, generator=self.generator, dtype=torch.float64)
        gumbel = -(-uniform.clamp_min(1e-300).log()).log()
        logits = self.alpha.masked_fill(~self.allowed, -math.inf).log_softmax(1)
        return ((logits + gumbel.to(self.device, self.dtype)) / self.tau).softmax(1)

    def mixture(self) -> Mixture:
        """The drawn operation of each edge, with the gradient of its probability."""
        soft = self.probabilities()
        drawn = torch.zeros_like(soft).scatter_(1, soft.detach().argmax(1, keepdim=True), 1.0)
        return Mixture(drawn + (soft - soft.detach()), drawn.bool().cpu())


PLUGIN = Gdas
