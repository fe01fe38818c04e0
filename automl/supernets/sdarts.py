"""SDARTS by random smoothing: DARTS whose weights are trained under perturbed strengths.

Chen & Hsieh 2020, https://arxiv.org/abs/2002.05283. The weights minimise

    L_train(w, p + δ),   p = softmax(α),   δ ~ Uniform(−ε, ε)

where p + δ is clipped to [0, 1] and divided by its sum, and ε grows linearly from 0.03 to 0.3 over the
search. Alpha is trained as by DARTS, without δ. So the supernet's loss becomes flat around α, and less is
lost when α is discretised.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field

from automl.supernets.base import Mixture, SearchOptions
from automl.supernets.darts import Darts, DartsOptions


class SdartsOptions(DartsOptions):
    """`epsilon_start`, `epsilon_end`: the largest perturbation at the start and the end of the search."""

    epsilon_start: float = Field(0.03, ge=0)
    epsilon_end: float = Field(0.3, ge=0)


class Sdarts(Darts):
    """Smooth differentiable architecture search."""

    Options: ClassVar[type[SearchOptions]] = SdartsOptions
    options: SdartsOptions

    @property
    def epsilon(self) -> float:
        """The present bound of the perturbation."""
        low, high = self.options.epsilon_start, self.options.epsilon_end
        return low + (high - low) * self.progress

    def weight_mixture(self) -> Mixture:
        """Perturbed strengths: in [0, 1], rows sum to 1; a row that is clipped away keeps its largest."""
        strengths = self.strengths().detach()
        noise = 2 * torch.rand(strengths.shape, generator=self.generator, dtype=torch.float64) - 1
        moved = strengths + self.epsilon * noise.to(self.device, self.dtype)
        clipped = moved.clamp(0, 1) * self.allowed
        largest = torch.zeros_like(clipped).scatter_(1, strengths.argmax(1, keepdim=True), 1.0)
        clipped = torch.where(clipped.sum(1, keepdim=True) > 0, clipped, largest)
        return Mixture(clipped / clipped.sum(1, keepdim=True), self.active)


PLUGIN = Sdarts
