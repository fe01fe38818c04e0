"""What zero-cost proxies share: a copy to work on, its weighted layers, their gradients.

A plug-in is `PLUGIN = Proxy(score)` (see `automl.contracts.Proxy`). Its score must not change the network, so
each works on a copy.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TypeAlias, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from automl.contracts import UserError

Batch: TypeAlias = tuple[Tensor, Tensor]  # images (n, C, H, W), labels (n,)
WEIGHTED = (nn.modules.conv._ConvNd, nn.Linear)


def working_copy(network: nn.Module, *, training: bool = True) -> nn.Module:
    """A copy whose parameters take gradients and have none; in training mode, but nothing is dropped."""
    duplicate = copy.deepcopy(network).train(training).requires_grad_(True)
    duplicate.zero_grad(set_to_none=True)
    for module in duplicate.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.eval()
    return duplicate


def layers(network: nn.Module, proxy: str) -> list[nn.Module]:
    """The convolutions and linear layers of `network`, which `proxy` needs."""
    weighted: list[nn.Module] = [module for module in network.modules() if isinstance(module, WEIGHTED)]
    if not weighted:
        raise UserError(lacking(proxy, "a convolution or linear layer", network))
    return weighted


def lacking(proxy: str, layer: str, network: nn.Module) -> str:
    """The message for a network that a proxy cannot score."""
    return (
        f"the proxy {proxy} needs a network with {layer}, but got a {type(network).__name__} without; "
        "choose another proxy (automl list proxies)"
    )


def weights(network: nn.Module, proxy: str) -> list[Tensor]:
    """The weight tensors of `layers`; biases and normalisation are left out."""
    return [cast(Tensor, layer.weight) for layer in layers(network, proxy)]


def gradients(loss: Tensor, tensors: Sequence[Tensor], *, create_graph: bool = False) -> list[Tensor]:
    """The loss's gradient for each tensor; zeros for one on which it does not depend."""
    slopes = torch.autograd.grad(loss, list(tensors), allow_unused=True, create_graph=create_graph)
    return [torch.zeros_like(t) if g is None else g for t, g in zip(tensors, slopes, strict=True)]


def loss_of(network: nn.Module, batch: Batch, *, reduction: str = "mean") -> Tensor:
    """Cross-entropy on `batch`."""
    return functional.cross_entropy(network(batch[0]), batch[1], reduction=reduction)


def total(terms: Sequence[Tensor]) -> float:
    """The sum of all entries of all `terms`, in float64."""
    return float(torch.stack([term.double().sum() for term in terms]).sum())
