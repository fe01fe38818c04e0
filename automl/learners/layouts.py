"""The layers of a backbone in three layouts: one task, many with weights of their own, many that share them.

Images of many tasks lie side by side as channels, (n, T·C, H, W) in channels-last order: a grouped
convolution then gives every task its own weights, and batch normalisation over (n, H, W) its own statistics.
No `vmap`: over torch's norms it gives a wrong second-order gradient.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from automl.ranks.sharing import joint_moments, synchronising

Tensors: TypeAlias = dict[str, Tensor]
Stats: TypeAlias = list[tuple[Tensor, Tensor]]  # mean and variance of each norm, in the order of the network

EPSILON = 1e-5


class Layout(ABC):
    """Layers for one pass through a network.

    With `stats`, the norms use those; with `keep`, they append the statistics they compute to `kept`.
    """

    def __init__(self, stats: Stats | None = None, *, keep: bool = False) -> None:
        self.given: Iterator[tuple[Tensor, Tensor]] | None = iter(stats) if stats is not None else None
        self.keep = keep
        self.kept: Stats = []

    @abstractmethod
    def enter(self, x: Tensor) -> Tensor:
        """Images as the other layers take them."""

    @abstractmethod
    def leave(self, x: Tensor) -> Tensor:
        """(…, n, features) of what the layers gave."""

    @abstractmethod
    def convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        """Convolution with stride 1 that keeps height and width; weight (…, O, I, k, k), k odd."""

    def norm(self, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        """Batch normalisation, then scale and shift (…, C)."""
        scale, shift = self.channels(scale), self.channels(shift)
        if self.given is None and not self.keep and synchronising() is None:
            return normalise(x, scale, shift)
        mean, variance = self.statistics(x, (0, 2, 3))
        factor = scale * torch.rsqrt(variance + EPSILON)
        return torch.addcmul(_column(shift - mean * factor), x, _column(factor))

    def statistics(self, x: Tensor, over: int | tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """Mean and variance: those given, or of `x` over some dimensions; in a shared pass of all ranks'."""
        if self.given is not None:
            return next(self.given)
        own = synchronising()
        if own is None:
            variance, mean = torch.var_mean(x, over, correction=0)
        else:
            variance, mean = joint_moments(x, own)
        if self.keep:
            self.kept.append((mean, variance))
        return mean, variance

    def channels(self, value: Tensor) -> Tensor:
        """One value per channel of what the layers take."""
        return value


def normalise(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Batch normalisation of (n, C, H, W) by its own statistics; a single value becomes `shift`."""
    return torch.batch_norm(x, scale, shift, None, None, True, 0.0, EPSILON, False)


class OneTask(Layout):
    """Images (n, C, H, W)."""

    def enter(self, x: Tensor) -> Tensor:
        """Nothing but the memory order changes (`contiguous` would leave images of one channel alone)."""
        return x.to(memory_format=torch.channels_last)

    def leave(self, x: Tensor) -> Tensor:
        """(n, C, H, W) → (n, C·H·W)."""
        return x.flatten(1)

    def convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        """A plain convolution."""
        return functional.conv2d(x, weight, padding=weight.shape[-1] // 2)


class ManyTasks(Layout):
    """Images (T, n, C, H, W) of T tasks whose parameters carry a leading dimension T."""

    def __init__(self, tasks: int, stats: Stats | None = None, *, keep: bool = False) -> None:
        super().__init__(stats, keep=keep)
        self.tasks = tasks

    def enter(self, x: Tensor) -> Tensor:
        """(T, n, C, H, W) → (n, T·C, H, W)."""
        return x.transpose(0, 1).flatten(1, 2).to(memory_format=torch.channels_last)

    def leave(self, x: Tensor) -> Tensor:
        """(n, T·C, H, W) → (T, n, C·H·W)."""
        return x.reshape(len(x), self.tasks, -1).transpose(0, 1)

    def convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        """A group for each task; weight (T, O, I, k, k)."""
        weight = weight.flatten(0, 1)
        return functional.conv2d(x, weight, padding=weight.shape[-1] // 2, groups=self.tasks)

    def channels(self, value: Tensor) -> Tensor:
        """(T, C) → (T·C,)."""
        return value.reshape(-1)


class SharedWeights(OneTask):
    """Images (T, n, C, H, W) of T tasks that share their parameters; statistics are each task's own."""

    def __init__(self, tasks: int, stats: Stats | None = None, *, keep: bool = False) -> None:
        super().__init__(stats, keep=keep)
        self.tasks = tasks

    def enter(self, x: Tensor) -> Tensor:
        """(T, n, C, H, W) → (T·n, C, H, W)."""
        return super().enter(x.flatten(0, 1))

    def leave(self, x: Tensor) -> Tensor:
        """(T·n, C, H, W) → (T, n, C·H·W)."""
        return x.reshape(self.tasks, -1, x[0].numel())

    def norm(self, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        """Batch normalisation of each task by itself, then the shared scale and shift (C,)."""
        if self.given is None and not self.keep and x.device.type == "cpu":
            return torch.cat([normalise(part, scale, shift) for part in x.chunk(self.tasks)])
        pixels = x.permute(0, 2, 3, 1)  # (T·n, H, W, C), contiguous
        values = pixels.reshape(self.tasks, -1, len(scale))
        mean, variance = self.statistics(values, 1)
        factor = scale * torch.rsqrt(variance + EPSILON)
        normal = torch.addcmul((shift - mean * factor)[:, None], values, factor[:, None])
        return normal.view(pixels.shape).permute(0, 3, 1, 2)


def _column(value: Tensor) -> Tensor:
    return value[None, :, None, None]


def linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Inputs (…, n, I), weight (O, I) or one for each task (T, O, I), bias alike: (…, n, O)."""
    if weight.dim() == 2:
        return functional.linear(x, weight, bias)
    return torch.baddbmm(bias.unsqueeze(1), x, weight.transpose(1, 2))
