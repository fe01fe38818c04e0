"""Meta-SGD: learns where to start, and an inner rate for each single parameter.

Li et al. 2017, https://arxiv.org/abs/1707.09835: θ' = θ − α ∘ ∇ L_support(θ), with θ and α (of the same
shape) both learned by the outer loop. All of α starts at `inner_rate`; it may turn negative.
"""

from __future__ import annotations

import torch
from torch import Tensor

from automl.learners.inner_loop import UnrolledLearner
from automl.learners.layouts import Tensors


class MetaSgd(UnrolledLearner):
    """MAML with learned rates, one per parameter."""

    def initial(self) -> Tensors:
        """Backbone, head, and `rates.<parameter>` of the same shapes."""
        network = super().initial()
        rate = self.options.inner_rate
        return network | {f"rates.{name}": torch.full_like(value, rate) for name, value in network.items()}

    def moved(self, step: int, name: str, value: Tensor, gradient: Tensor) -> Tensor:
        """`value` − α ∘ gradient."""
        return torch.addcmul(value, self.parameters[f"rates.{name}"], gradient, value=-1)


PLUGIN = MetaSgd
