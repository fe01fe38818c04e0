"""Batch norm over the joint batch of all ranks, on any device, differentiable twice.

With x̂ = (x − mean) r, r = 1/√(var + ε), mean and variance over the n values of a channel on all ranks, and
Pr(z) = z − mean(z) − x̂ mean(z x̂):

    ∂L/∂x = r Pr(g)    for g = ∂L/∂x̂

torch's own `SyncBatchNorm` works on GPUs alone, and once.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from automl.contracts import UserError
from automl.ranks.group import Group, current
from automl.ranks.sharing import synchronising

PLAIN = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class Normalised(NamedTuple):
    """x̂, and the mean and the variance with Bessel's correction of each channel (C,) over the joint batch."""

    value: Tensor
    mean: Tensor
    variance: Tensor


def normalised(x: Tensor, eps: float, group: Group) -> Normalised:
    """Batch norm without scale and shift of `x` (N, C, …), this rank's rows."""
    found = _Normalise.apply(x, eps, group)  # type: ignore[no-untyped-call]
    return Normalised(*found)


class JointNorm:
    """Marks a batch norm that itself takes the statistics of the joint batch in a shared pass."""


class SynchronisedNorm(JointNorm, _BatchNorm):
    """A batch norm that is torch's, but in a shared pass in train mode normalises by the joint batch."""

    @classmethod
    def of(cls, norm: _BatchNorm) -> SynchronisedNorm:
        """The same norm, with the same parameters and statistics."""
        made = cls(norm.num_features, norm.eps, norm.momentum, False, False)
        made.affine, made.track_running_stats = norm.affine, norm.track_running_stats
        made.weight, made.bias = norm.weight, norm.bias
        for name, buffer in norm._buffers.items():
            made.register_buffer(name, buffer)
        return made.train(norm.training)

    def _check_input_dim(self, input: Tensor) -> None:
        """Any number of dimensions from 2."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, …) to the same shape."""
        own = synchronising()
        if own is None or not (self.training or self.running_mean is None):
            return super().forward(input)
        found = normalised(input, self.eps, own.group)
        if self.training and self.track_running_stats and self.running_mean is not None:
            self._remember(found)
        if not self.affine:
            return found.value
        shape = (-1, *[1] * (input.ndim - 2))
        return torch.addcmul(self.bias.view(shape), found.value, self.weight.view(shape)).to(input.dtype)

    @torch.no_grad()
    def _remember(self, found: Normalised) -> None:
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        new = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(found.mean.to(self.running_mean.dtype), new)
        self.running_var.lerp_(found.variance.to(self.running_var.dtype), new)


def synchronise(network: nn.Module) -> None:
    """Make the batch norms of `network` ones of the joint batch, in place, where there are several ranks.

    Raises `UserError` for a batch norm of a class of its own, which cannot be changed so.
    """
    if current().size == 1:
        return
    for name, part in list(network.named_modules()):
        if isinstance(part, JointNorm) or not isinstance(part, _BatchNorm):
            continue
        if type(part) not in PLAIN:
            raise UserError(
                "a batch norm must be one of torch.nn's to be synchronised between ranks, but "
                f"{name} is a {type(part).__name__}; write synchronise: false for the evaluator, or ranks: 1 "
                "for the executor"
            )
        parent, _, own = name.rpartition(".")
        setattr(network.get_submodule(parent), own, SynchronisedNorm.of(part))


def _over(x: Tensor) -> list[int]:
    return [0, *range(2, x.ndim)]


def _channels(value: Tensor, x: Tensor) -> Tensor:
    """(C,) beside (N, C, …)."""
    return value.view(-1, *[1] * (x.ndim - 2))


def _wide(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


class _Normalise(Function):
    """x̂(x), mean and variance."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, eps: float, group: Group) -> tuple[Tensor, Tensor, Tensor]:
        wide, channels = _wide(x), x.shape[1]
        variance, mean = torch.var_mean(wide, _over(x), correction=0)
        count = mean.new_tensor([x.numel() / channels])
        every = torch.stack(group.gathered(torch.cat([mean, variance, count])))
        counts = every[:, -1:]
        means, variances = every[:, :channels], every[:, channels:-1]
        number = float(counts.sum())
        mean = (counts * means).sum(0) / number
        variance = (counts * (variances + (means - mean).square())).sum(0) / number
        value = functional.batch_norm(wide, mean, variance, None, None, False, 0.0, eps).to(x.dtype)
        ctx.group, ctx.number = group, number
        ctx.save_for_backward(x, mean, (variance + eps).rsqrt())
        unbiased = variance * (number / max(number - 1, 1))
        ctx.mark_non_differentiable(mean, unbiased)
        return value, mean, unbiased

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        x, mean, r = ctx.saved_tensors
        return _Slope.apply(gradients[0], x, mean, r, ctx.number, ctx.group), None, None  # type: ignore[no-untyped-call]


class _Slope(Function):
    """∂L/∂x as a function of g and x."""

    @staticmethod
    def forward(
        ctx: Any, g: Tensor, x: Tensor, mean: Tensor, r: Tensor, number: float, group: Group
    ) -> Tensor:
        ctx.group, ctx.number = group, number
        ctx.save_for_backward(g, x, mean, r)
        wide, normal = _wide(g), _normal(x, mean, r)
        sum_g, g_x = _sums([wide, wide * normal], group)
        slope = wide - _channels(sum_g / number, x) - normal * _channels(g_x / number, x)
        return (slope * _channels(r, x)).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Of ⟨u, r Pr(g)⟩: r Pr(u) for g; for x: r Pr(z) − r² ⟨u, Pr(g)⟩ x̂ / n.

        z = −r (⟨g, x̂⟩ u + ⟨u, x̂⟩ g) / n is the gradient for x̂, and −r² x̂ / n that of r.
        """
        g, x, mean, r = ctx.saved_tensors
        u, g, n, group = _wide(gradients[0]), _wide(g), ctx.number, ctx.group
        normal = _normal(x, mean, r)
        sum_g, g_x, sum_u, u_x, u_g = _sums([g, g * normal, u, u * normal, u * g], group)
        inner = u_g - sum_u * sum_g / n - u_x * g_x / n  # ⟨u, Pr(g)⟩
        slope_g = (u - _channels(sum_u / n, x) - normal * _channels(u_x / n, x)) * _channels(r, x)
        of_u, of_g = -r * g_x / n, -r * u_x / n
        mean_z, z_x = (of_u * sum_u + of_g * sum_g) / n, (of_u * u_x + of_g * g_x) / n
        slope_x = u * _channels(r * of_u, x) + g * _channels(r * of_g, x) - _channels(r * mean_z, x)
        slope_x = slope_x - normal * _channels(r * z_x + r * r * inner / n, x)
        return slope_g.to(gradients[0].dtype), slope_x.to(x.dtype), None, None, None, None


def _normal(x: Tensor, mean: Tensor, r: Tensor) -> Tensor:
    return (_wide(x) - _channels(mean, x)) * _channels(r, x)


def _sums(values: list[Tensor], group: Group) -> list[Tensor]:
    """The sums of each channel over all ranks."""
    sums = torch.cat([value.sum(_over(value)) for value in values])
    group.total_([sums])
    return list(sums.chunk(len(values)))
