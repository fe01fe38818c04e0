"""What networks and learners use of this room, for one rank alone: exported ones are built with it.

Each name stands for the one of the room's other modules, of which no process group is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor


class Group:
    """One process."""


class JointNorm:
    """Marks nothing."""


class Normalised(NamedTuple):
    """x̂, and the mean and the variance with Bessel's correction of each channel (C,)."""

    value: Tensor
    mean: Tensor
    variance: Tensor


def synchronising() -> None:
    """No batch is shared."""


def rows_of(count: int, fewest: int = 2) -> None:
    """All rows are this process's."""


def shared(run: Callable[..., Any], x: Tensor, *replicated: Sequence[Tensor]) -> Any:
    """`run` of the whole batch."""
    return run(x, *replicated)


def total(tensors: Iterable[Tensor]) -> list[Tensor]:
    """The tensors."""
    return list(tensors)


def uniform(like: Tensor, *shape: int) -> Tensor:
    """Uniform numbers (N, *shape) for the N images of `like`."""
    return torch.rand(len(like), *shape, device=like.device)


def normal(like: Tensor, *shape: int) -> Tensor:
    """Standard normal numbers (N, *shape), of the type of `like`."""
    return torch.randn(len(like), *shape, dtype=like.dtype, device=like.device)


def joint_moments(x: Tensor, own: object) -> tuple[Tensor, Tensor]:
    """Variance and mean (C,) of rows (N, C, …)."""
    return torch.var_mean(x, [0, *range(2, x.ndim)], correction=0)


def normalised(x: Tensor, eps: float, group: Group) -> Normalised:
    """Batch norm of `x` (N, C, …) without scale and shift."""
    variance, mean = joint_moments(x, group)
    shape, number = (-1, *[1] * (x.ndim - 2)), x.numel() / x.shape[1]
    value = (x - mean.view(shape)) * (variance + eps).rsqrt().view(shape)
    return Normalised(value, mean, variance * (number / max(number - 1, 1)))
