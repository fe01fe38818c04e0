"""SynFlow: the strength of all paths from input to output, without any data.

    score = Σ_l Σ ∂R/∂θ_l ⊙ θ_l,   R = sum of the outputs at the input 1 with every parameter replaced by |θ|

θ_l are the weights of convolutions and linear layers; normalisation is taken out, in float64. Tanaka et al.
(NeurIPS 2020), https://arxiv.org/abs/2006.05467; without normalisation by Abdelfattah et al. (ICLR 2021).
"""

from __future__ import annotations

import torch
from torch import nn

from automl.contracts import Proxy
from automl.proxies.base import Batch, gradients, total, weights, working_copy

NORMALISATION = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm)


def score(network: nn.Module, batch: Batch) -> float:
    """The sum of the synaptic flow; `batch` gives the shape of an image only."""
    duplicate = working_copy(network).double()
    for module in list(duplicate.modules()):
        for name, child in module.named_children():
            if isinstance(child, NORMALISATION):
                setattr(module, name, nn.Identity())
    with torch.no_grad():
        for parameter in duplicate.parameters():
            parameter.abs_()
    tensors = weights(duplicate, "synflow")
    ones = torch.ones_like(batch[0][:1], dtype=torch.float64)
    flows = gradients(duplicate(ones).sum(), tensors)
    return total([flow * weight.detach() for flow, weight in zip(flows, tensors, strict=True)])


PLUGIN = Proxy(score, cheap=True)
