"""GraSP: how much the weights keep up the flow of gradients.

    score = −Σ_l Σ θ_l ⊙ (H g)_l,   g = ∂L/∂θ,   H g = ∂(gᵀ stop(g))/∂θ

θ_l are the weights of convolutions and linear layers, L the mean cross-entropy of a batch, H its Hessian.
Wang et al. (ICLR 2020), https://arxiv.org/abs/2002.07376; summed over a network by Abdelfattah et al. (ICLR
2021).
"""

from __future__ import annotations

import torch
from torch import nn

from automl.contracts import Proxy
from automl.proxies.base import Batch, gradients, loss_of, total, weights, working_copy


def score(network: nn.Module, batch: Batch) -> float:
    """The sum of −θ ⊙ Hg."""
    duplicate = working_copy(network)
    tensors = weights(duplicate, "grasp")
    slopes = gradients(loss_of(duplicate, batch), tensors, create_graph=True)
    flow = torch.stack([(slope * slope.detach()).sum() for slope in slopes]).sum()
    products = gradients(flow, tensors)
    return -total([weight.detach() * product for weight, product in zip(tensors, products, strict=True)])


PLUGIN = Proxy(score)
