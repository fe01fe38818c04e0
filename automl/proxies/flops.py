"""Floating-point operations of one image's forward pass: a baseline like the parameters.

    score = 2 · multiply-adds of convolutions and matrix products

Ning et al. (NeurIPS 2021), https://arxiv.org/abs/2008.03064.
"""

from __future__ import annotations

import torch
from torch import nn

from automl.contracts import Proxy
from automl.proxies.base import Batch, working_copy


@torch.no_grad()
def score(network: nn.Module, batch: Batch) -> float:
    """Operations of a forward pass in evaluation mode."""
    from torch.utils.flop_counter import FlopCounterMode  # takes 3 s to load

    duplicate = working_copy(network, training=False)
    with FlopCounterMode(display=False) as counter:
        duplicate(batch[0][:1])
    return float(counter.get_total_flops())


PLUGIN = Proxy(score)
