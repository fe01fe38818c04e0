"""Fair DARTS: every operation has a sigmoid of its own, and a loss drives each towards 0 or 1.

Chu et al. 2020, https://arxiv.org/abs/1911.12126. The strengths p = σ(α) of an edge do not compete, so a skip
connection has no unfair advantage. Alpha minimises

    L_val(w, p) + w01 · L01,   L01 = −1/N Σ (σ(α) − ½)²

with w01 = 10 over all N operations of all edges. Without competition `none` has no meaning: it is neither
mixed nor counted. The rates are those of the authors' own program (batches of 128); a configuration is
derived by the space's rule, not by the paper's threshold.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from automl.space import Space
from automl.supernets.base import SearchOptions, Supernet, WeightSharing


class FairDartsOptions(SearchOptions):
    """`zero_one`: w01, the weight of the zero-one loss."""

    learning_rate: float = Field(0.005, gt=0)
    alpha_rate: float = Field(3e-3, gt=0)
    zero_one: float = Field(10.0, ge=0)


class FairDarts(WeightSharing):
    """Differentiable architecture search without competition between operations."""

    Options: ClassVar[type[SearchOptions]] = FairDartsOptions
    options: FairDartsOptions

    def __init__(self, options: SearchOptions, supernet: Supernet, *, space: Space, seed: int) -> None:
        super().__init__(options, supernet, space=space, seed=seed)
        if "none" in supernet.operations:
            self.active[:, supernet.operations.index("none")] = False
            self.allowed = self.active.to(self.device)

    def strengths(self) -> Tensor:
        """σ(α), 0 for `none` and what is not allowed: (edges, operations), each in [0, 1]."""
        strengths: Tensor = self.alpha.sigmoid() * self.allowed
        return strengths

    def penalty(self) -> Tensor:
        """The zero-one loss times its weight."""
        squares = (self.alpha.sigmoid() - 0.5).square() * self.allowed
        loss: Tensor = -squares.sum() / self.allowed.sum().clamp_min(1)
        return self.options.zero_one * loss


PLUGIN = FairDarts
