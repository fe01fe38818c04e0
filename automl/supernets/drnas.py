"""DrNAS: the strengths of an edge are a draw of a Dirichlet distribution, whose concentration is learned.

Chen et al. 2021, https://arxiv.org/abs/2006.10355. With β = elu(α) + 1, alpha minimises

    E_{θ ~ Dirichlet(β)} [L_val(w, θ)] + λ/2 ‖β − 1‖²

by pathwise gradients of one draw a step; β = 1, the anchor, is the uniform distribution over all mixtures.
A draw is θ = γ / Σγ with γ ~ Gamma(β, 1). A configuration is derived from the mean, β / Σβ. The authors' own
program has the second term as Adam's weight decay of α, the same wherever α ≥ 0.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from automl.supernets.base import Mixture, SearchOptions, WeightSharing


class DrNasOptions(SearchOptions):
    """`anchor`: λ, what pulls the concentrations towards 1."""

    alpha_decay: float = Field(0.0, ge=0)
    anchor: float = Field(1e-3, ge=0)


class DrNas(WeightSharing):
    """Dirichlet neural architecture search."""

    Options: ClassVar[type[SearchOptions]] = DrNasOptions
    options: DrNasOptions

    def concentration(self) -> Tensor:
        """β (edges, operations), 0 where an operation is not allowed."""
        beta: Tensor = (functional.elu(self.alpha) + 1) * self.allowed
        return beta

    def strengths(self) -> Tensor:
        """The mean of the distribution: (edges, operations), rows sum to 1."""
        beta = self.concentration()
        return beta / beta.sum(1, keepdim=True)

    def penalty(self) -> Tensor:
        """λ/2 ‖β − 1‖² over the allowed operations."""
        return self.options.anchor / 2 * (self.concentration() - 1)[self.allowed].square().sum()

    def mixture(self) -> Mixture:
        """One draw, differentiable in alpha; on the CPU, so that it is the same for every device."""
        beta = self.concentration().cpu().double()
        seed = int(torch.randint(2**62, (1,), generator=self.generator))
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            gamma = torch.distributions.Gamma(beta.masked_fill(~self.active, 1.0), 1.0).rsample()
        gamma = gamma * self.active
        return Mixture((gamma / gamma.sum(1, keepdim=True)).to(self.device, self.dtype), self.active)


PLUGIN = DrNas
