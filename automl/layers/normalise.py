"""Batch-norm without learned parameters, scaled per part of a wide image, with a fast second derivative.

With x̂ = (x - mean) r, r = 1/√(var + ε), over n values per channel, and Pr(z) = z - mean(z) - x̂ mean(z x̂):

    y = s x̂,    ∂L/∂x = s r Pr(g),    ∂L/∂s = Σ g x̂        for g = ∂L/∂y
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional

from automl.layers.gradients import GradientContext
from automl.layers.kernels import by_hand
from automl.layers.operations import image_memory
from automl.ranks.group import Group
from automl.ranks.norms import JointNorm, normalised
from automl.ranks.sharing import synchronising


class Norm(JointNorm, nn.BatchNorm2d):
    """Batch-norms of the parts of a wide image, (N, T·C, H, W), with running statistics."""

    def __init__(self, channels: int, parts: int = 1) -> None:
        super().__init__(channels * parts, affine=False)
        self.parts = parts

    def forward(self, x: Tensor, scale: Tensor | None = None, parts: list[int] | None = None) -> Tensor:
        """x̂ times `scale` (one number for each part); `x` has these `parts` only (None: all)."""
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None
        statistics = [self.running_mean, self.running_var]
        if parts is not None:
            statistics = [value.view(self.parts, -1)[parts].flatten() for value in statistics]
        if not self.training:
            slope = (statistics[1] + self.eps).rsqrt()
            if scale is not None:
                slope = slope * scale.repeat_interleave(len(slope) // len(scale))
            bias = -statistics[0] * slope
            return x * slope[:, None, None] + bias[:, None, None]
        if not self.track_running_stats:
            return normalise(x, scale, self.eps)
        self.num_batches_tracked += 1
        share = self.momentum if self.momentum is not None else 1 / float(self.num_batches_tracked)
        value = normalise(x, scale, self.eps, (statistics[0], statistics[1], share))
        if parts is not None:
            self.running_mean.view(self.parts, -1)[parts] = statistics[0].view(len(parts), -1)
            self.running_var.view(self.parts, -1)[parts] = statistics[1].view(len(parts), -1)
        return value


def normalise(
    x: Tensor,
    scale: Tensor | None = None,
    eps: float = 1e-5,
    running: tuple[Tensor, Tensor, float] | None = None,
) -> Tensor:
    """Batch-norm with the batch's own statistics, times `scale`, one number for each part of `x`.

    `running`: mean and variance (channels,) to bring up to date, and the share of this batch in them.
    In a shared pass the batch is that of all ranks.
    """
    own = synchronising()
    if own is not None:
        return _jointly(x, scale, eps, running, own.group)
    if not by_hand(x):
        mean, var, share = running or (None, None, 0.0)
        weight = None if scale is None else _per_channel(scale, x.shape[1])
        return functional.batch_norm(x, mean, var, weight, None, True, share, eps)
    value: Tensor = _Normalise.apply(x, scale, eps, running)  # type: ignore[no-untyped-call]
    return value


def _jointly(
    x: Tensor,
    scale: Tensor | None,
    eps: float,
    running: tuple[Tensor, Tensor, float] | None,
    group: Group,
) -> Tensor:
    """The same with the statistics of the joint batch of all ranks."""
    found = normalised(x, eps, group)
    if running is not None:
        mean, var, share = running
        mean.lerp_(found.mean.to(mean.dtype), share)
        var.lerp_(found.variance.to(var.dtype), share)
    return found.value if scale is None else found.value * _per_channel(scale, x.shape[1])[:, None, None]


def _per_channel(scale: Tensor, channels: int) -> Tensor:
    """In memory of its own: torch 2.13 gives wrong gradients in channels-last for an expanded weight."""
    return scale.repeat_interleave(channels // len(scale))


class _Normalise(Function):
    """y(x, s)."""

    @staticmethod
    def forward(
        ctx: GradientContext,
        x: Tensor,
        scale: Tensor | None,
        eps: float,
        running: tuple[Tensor, Tensor, float] | None,
    ) -> Tensor:
        mean, var, share = running or (None, None, 0.0)
        weight = None if scale is None else _per_channel(scale, x.shape[1])
        value, *saved = torch.ops.aten.native_batch_norm(x, weight, None, mean, var, True, share, eps)
        ctx.save_for_backward(x, scale, *saved)
        y: Tensor = value
        return y

    @staticmethod
    def backward(ctx: GradientContext, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, scale, mean, deviation = ctx.saved_tensors
        slopes = _NormaliseSlopes.apply(  # type: ignore[no-untyped-call]
            image_memory(gradients[0]), x, scale, mean, deviation
        )
        return *slopes, None, None


class _NormaliseSlopes(Function):
    """∂L/∂x and ∂L/∂s as functions of g, x and s."""

    @staticmethod
    def forward(
        ctx: GradientContext, g: Tensor, x: Tensor, scale: Tensor | None, mean: Tensor, r: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        ctx.save_for_backward(g, x, scale, mean, r)
        ctx.set_materialize_grads(False)
        scaled = scale is not None
        weight = _per_channel(scale, x.shape[1]) if scale is not None else None
        slope_x, slope_w, _ = torch.ops.aten.native_batch_norm_backward(
            g, x, weight, None, None, mean, r, True, 0.0, [True, scaled, False]
        )
        return slope_x, slope_w.view(len(scale), -1).sum(1) if scale is not None else None

    @staticmethod
    def backward(ctx: GradientContext, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        """Gradients of ⟨u, ∂L/∂x⟩ + ⟨v, ∂L/∂s⟩, where u and v are the gradients of the two outputs."""
        g, x, scale, mean, r = ctx.saved_tensors
        u, v = gradients
        channels = x.shape[1]
        s = torch.ones_like(r) if scale is None else _per_channel(scale, channels)
        weight = torch.zeros_like(r) if v is None else _per_channel(v, channels)
        slopes = _second_slopes(_rows(g), _rows(x), None if u is None else _rows(u), (s, weight, mean, r))
        slope_g, slope_x = (_image(z, x.shape) for z in slopes[:2])
        slope_s = None if scale is None else slopes[2].view(len(scale), -1).sum(1)
        return slope_g, slope_x, slope_s, None, None


def _rows(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


def _image(rows: Tensor, shape: torch.Size) -> Tensor:
    return rows.view(shape[0], shape[2], shape[3], shape[1]).permute(0, 3, 1, 2)


def _second_slopes(
    g: Tensor, x: Tensor, u: Tensor | None, per_channel: tuple[Tensor, Tensor, Tensor, Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """For g, x and s: gradients of L = s r ⟨u, Pr(g)⟩ + v ⟨g, x̂⟩ in (n, channels) matrices.

    ∂L/∂g = s r Pr(u) + v x̂ and ∂L/∂s = r ⟨u, Pr(g)⟩. Of x depend x̂ and r, by r Pr and by -r² x̂ / n:
    ∂L/∂x = r Pr(z) - r² s ⟨u, Pr(g)⟩ x̂ / n with z = ∂L/∂x̂ = v g - s r (⟨g, x̂⟩ u + ⟨u, x̂⟩ g) / n.
    """
    s, v, mean, r = per_channel
    n, normal = len(x), (x - mean).mul_(r)
    sum_g, g_x = g.sum(0), (g * normal).sum(0)
    if u is None:
        slope_x = torch.addcmul(g * (v * r), normal, -v * r * g_x / n).sub_(v * r * sum_g / n)
        return normal * v, slope_x, torch.zeros_like(s)
    sum_u, u_x, u_g = u.sum(0), (u * normal).sum(0), (u * g).sum(0)
    inner = u_g - sum_u * sum_g / n - u_x * g_x / n  # ⟨u, Pr(g)⟩
    of_u, of_g = -s * r * g_x / n, v - s * r * u_x / n  # z = of_u u + of_g g
    slope_g = torch.addcmul(u * (s * r), normal, of_g).sub_(s * r * sum_u / n)
    mean_z, z_x = (of_u * sum_u + of_g * sum_g) / n, (of_u * u_x + of_g * g_x) / n
    slope_x = torch.addcmul(u * (r * of_u), g, r * of_g)
    slope_x.addcmul_(normal, -r * z_x - r * r * s * inner / n).sub_(r * mean_z)
    return slope_g, slope_x, r * inner
