"""Batch-norm statistics of a supernet: estimated again before a path is scored, or kept unchanged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


@torch.no_grad()
def reestimate(
    supernet: nn.Module, batches: Iterable[Tensor], strengths: Tensor, active: Tensor | None
) -> None:
    """Replace the running statistics of `supernet` by the mean over `batches` of images (n, C, H, W).

    Statistics of training belong to other strengths (Guo et al. 2020, section 3.2,
    https://arxiv.org/abs/1904.00420). What is not `active` keeps none. Leaves it in train mode.
    """
    layers = batch_norms(supernet)
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # a cumulative mean
    supernet.train()
    for x in batches:
        supernet(x, strengths, active)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum


def batch_norms(network: nn.Module) -> list[_BatchNorm]:
    """All batch-norm layers of a network."""
    return [layer for layer in network.modules() if isinstance(layer, _BatchNorm)]


@contextmanager
def untracked(layers: Sequence[_BatchNorm]) -> Iterator[None]:
    """Within it, forwards in train mode leave the running statistics of these `layers` as they are."""
    tracking = [layer.track_running_stats for layer in layers]
    for layer in layers:
        layer.track_running_stats = False
    try:
        yield
    finally:
        for layer, before in zip(layers, tracking, strict=True):
            layer.track_running_stats = before
