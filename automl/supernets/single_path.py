"""What single-path methods share: each step trains one random configuration and mixes nothing."""

from __future__ import annotations

import random
from collections.abc import Mapping

import torch
from torch import Tensor

from automl.contracts import Config
from automl.supernets.base import Mixture, WeightSharing


class SinglePath(WeightSharing):
    """A method without architecture parameters; its alpha step only computes the validation loss."""

    def start(self) -> Mapping[str, Tensor]:
        """No parameters."""
        return {}

    def strengths(self) -> Tensor:
        """Uniform over the allowed operations of each edge: (edges, operations), rows sum to 1."""
        strengths: Tensor = self.allowed.to(self.dtype)
        return strengths / strengths.sum(1, keepdim=True)

    def mixture(self) -> Mixture:
        """The path of a configuration drawn uniformly from the space."""
        seed = int(torch.randint(2**62, (1,), generator=self.generator))
        return self.path(self.space.sample(random.Random(seed)))

    def path(self, config: Config) -> Mixture:
        """The network of `config` with the shared weights."""
        active = self.supernet.path(config)
        return Mixture(active.to(self.device, self.dtype), active)
