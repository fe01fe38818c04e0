"""PC-DARTS: DARTS on a part of the channels, with a second softmax over the edges that enter a node.

Xu et al. 2020, https://arxiv.org/abs/1907.05737. One channel in K passes through the mixed operation o of
an edge, the others pass by it (the supernet's `partial`), and node j sums its edges by normalised weights:

    x_j = Σ_{i<j} exp(β_ij) / Σ_{i'<j} exp(β_i'j) · f_ij(x_i)
    f_ij(x; S) = Σ_o exp(α^o_ij) / Σ_o' exp(α^o'_ij) · o(S ∗ x) + (1 − S) ∗ x

α and β are trained from epoch 15 of 50 on; before it the weights alone are trained. Rates and K as in the
authors' own CIFAR-10 search, which takes batches of 256.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from automl.supernets.base import Batch, SearchOptions, WeightSharing


class PcDartsOptions(SearchOptions):
    """`partial`: K. `warm_up`: part of the search in which the weights alone are trained."""

    learning_rate: float = Field(0.1, gt=0)
    minimum_rate: float = Field(0.0, ge=0)
    alpha_rate: float = Field(6e-4, gt=0)
    partial: int = Field(4, ge=1)
    warm_up: float = Field(0.3, ge=0, le=1)

    @property
    def partial_channels(self) -> int:
        """K."""
        return self.partial


class PcDarts(WeightSharing):
    """Partially connected differentiable architecture search."""

    Options: ClassVar[type[SearchOptions]] = PcDartsOptions
    options: PcDartsOptions

    def start(self) -> Mapping[str, Tensor]:
        """Alpha, and beta (edges,), both at 1e-3 · N(0, 1)."""
        noise = torch.randn(len(self.supernet.edges), generator=self.generator, dtype=torch.float64)
        return {**super().start(), "beta": 1e-3 * noise}

    def edge_weights(self) -> Tensor:
        """Softmax of beta over the edges into the same node: (edges,)."""
        beta = self.architecture["beta"]
        into = torch.zeros(len(self.supernet.nodes), len(beta), dtype=torch.bool)
        for node, rows in enumerate(self.supernet.nodes):
            into[node, rows] = True
        into = into.to(self.device)
        return beta.expand(len(into), -1).masked_fill(~into, -math.inf).softmax(1).sum(0)

    def strengths(self) -> Tensor:
        """Softmax of alpha over each edge's operations times the edge's weight: a node's rows sum to 1."""
        return super().strengths() * self.edge_weights()[:, None]

    def alpha_step(self, train: Batch, validation: Batch) -> tuple[Tensor, Tensor]:
        """As the base class, but nothing is changed during the warm-up."""
        if self.progress >= self.options.warm_up:
            return super().alpha_step(train, validation)
        with torch.no_grad():
            _, loss, logits = self.first_order(validation)
        return loss, logits


PLUGIN = PcDarts
