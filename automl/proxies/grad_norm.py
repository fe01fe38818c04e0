"""Norm of the loss's gradient, summed over the layers.

    score = Σ_l ‖∂L/∂θ_l‖₂

θ_l are the weights of convolutions and linear layers, L the mean cross-entropy of a batch. Abdelfattah et
al. (ICLR 2021), https://arxiv.org/abs/2101.08134.
"""

from __future__ import annotations

from torch import nn

from automl.contracts import Proxy
from automl.proxies.base import Batch, gradients, loss_of, total, weights, working_copy


def score(network: nn.Module, batch: Batch) -> float:
    """The sum of the layers' gradient norms."""
    duplicate = working_copy(network)
    tensors = weights(duplicate, "grad_norm")
    return total([gradient.double().norm() for gradient in gradients(loss_of(duplicate, batch), tensors)])


PLUGIN = Proxy(score)
