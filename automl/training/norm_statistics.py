"""Batch-norm statistics that fit the weights: estimated from training images before each validation."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.utils.hooks import RemovableHandle

FINISHED = 1024  # training images, at most, where a training or a rung ends
BETWEEN = 256  # at most, after any other epoch
BATCH = 256


@torch.no_grad()
def reestimate(model: nn.Module, images: Tensor, most: int = FINISHED) -> None:
    """Replace the running statistics of all norms by the mean over batches of `images` (n, C, H, W).

    At most `most` images, evenly spaced, are used (precise batch norm: Wu & Johnson 2021, arXiv:2105.07576);
    each batch spans all of them, as they may be sorted by class. All other modules are in evaluation mode (no
    dropout, no dropped paths), and so is `model` after it. Norms that the model freezes while it trains keep
    their statistics. No weight and no random state changes; a model without running statistics makes no pass.
    """
    norms = _trained_norms(model)
    model.eval()
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    hooks = [_average(norm) for norm in norms]
    for batch in _batches(images, most):
        model(batch)
    for norm, momentum, hook in zip(norms, momenta, hooks, strict=True):
        hook.remove()
        norm.momentum = momentum
        norm.eval()


def _trained_norms(model: nn.Module) -> list[_NormBase]:
    model.train()
    return [
        part
        for part in model.modules()
        if isinstance(part, _NormBase) and part.training and part.running_mean is not None
    ]


def _average(norm: _NormBase) -> RemovableHandle:
    """Let `norm` forget its statistics, and give its k-th call from now on the share 1/k of them."""
    calls = itertools.count(1)

    def share(module: nn.Module, _: object) -> None:
        norm.momentum = 1 / next(calls)

    norm.reset_running_stats()
    norm.train()
    return norm.register_forward_pre_hook(share)


def _batches(images: Tensor, most: int) -> Iterable[Tensor]:
    count = min(len(images), most)
    chosen = torch.arange(count) * len(images) // count
    parts = -(-count // BATCH)
    return (images[chosen[first::parts].to(images.device)] for first in range(parts))
