"""SNIP: how much the loss feels each weight's removal, to first order.

    score = Σ_l Σ |∂L/∂θ_l ⊙ θ_l|

θ_l are the weights of convolutions and linear layers, L the mean cross-entropy of a batch. Lee et al. (ICLR
2019), https://arxiv.org/abs/1810.02340; summed over a network by Abdelfattah et al. (ICLR 2021).
"""

from __future__ import annotations

from torch import nn

from automl.contracts import Proxy
from automl.proxies.base import Batch, gradients, loss_of, total, weights, working_copy


def score(network: nn.Module, batch: Batch) -> float:
    """The sum of the saliencies."""
    duplicate = working_copy(network)
    tensors = weights(duplicate, "snip")
    slopes = gradients(loss_of(duplicate, batch), tensors)
    return total([(slope * weight.detach()).abs() for slope, weight in zip(slopes, tensors, strict=True)])


PLUGIN = Proxy(score)
