"""Layers of supernets, with gradients faster than torch's own on a CPU. All can be differentiated twice.

Tensors are images (N, C, H, W) in channels-last memory. A wide image holds those of several edges side by
side in its channels, so that one call serves all of them. On a CPU torch's gradients of depthwise
convolutions fall back to slow code where the kernel is wide, dilated, or both. Here they are made of the
convolutions that run fast: y(x, w), its gradients x(g, w) and w(x, g) are linear in both arguments, so each
one's gradients are the other two. On other devices, and under autocast, torch's own functions are used.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional

from automl.layers.gradients import Convolution, GradientContext, wanted
from automl.layers.operations import image_memory

SMALL: Final = 16  # channels below which a grouped convolution is faster than products of matrices
FAST_WIDTH: Final = 3  # the widest kernel for which oneDNN has a fast gradient for depthwise weights


def by_hand(x: Tensor) -> bool:
    """Whether to use the functions of this module in place of torch's own."""
    return x.device.type == "cpu" and not torch.is_autocast_enabled("cpu")


def depthwise(x: Tensor, weight: Tensor, stride: int = 1, dilation: int = 1) -> Tensor:
    """Depthwise convolution, padded so that (N, C, H, W) gives (N, C, ⌈H/stride⌉, ⌈W/stride⌉).

    `weight`: (C, 1, K, K) with odd K. Either the stride or the dilation is 1.
    """
    if not by_hand(x):
        return _convolve(x, weight, stride, dilation)
    value: Tensor = _Depthwise.apply(x, weight, stride, dilation)  # type: ignore[no-untyped-call]
    return value


def _convolve(x: Tensor, weight: Tensor, stride: int, dilation: int) -> Tensor:
    padding = dilation * (weight.shape[-1] // 2)
    return functional.conv2d(x, weight, None, stride, padding, dilation, len(weight))


class _Depthwise(Function):
    """y(x, w)."""

    @staticmethod
    def forward(ctx: Convolution, x: Tensor, weight: Tensor, stride: int, dilation: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.geometry = stride, dilation
        return _convolve(x, weight, stride, dilation)

    @staticmethod
    def backward(ctx: Convolution, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        g = image_memory(gradients[0])
        slope_x = _input_slope(g, weight, x, *ctx.geometry) if wanted(ctx, 0) else None
        slope_w = _weight_slope(x, g, weight, *ctx.geometry) if wanted(ctx, 1) else None
        return slope_x, slope_w, None, None


class _DepthwiseInput(Function):
    """x(g, w) of a strided convolution; that of any other is a convolution with the mirrored kernel."""

    @staticmethod
    def forward(
        ctx: Convolution, g: Tensor, weight: Tensor, like: Tensor, stride: int, dilation: int
    ) -> Tensor:
        ctx.save_for_backward(g, weight)
        ctx.geometry = stride, dilation
        padding = [dilation * (size // 2) for size in weight.shape[2:]]
        wanted, geometry = [True, False, False], ([stride] * 2, padding, [dilation] * 2)
        slope: Tensor = torch.ops.aten.convolution_backward(
            g, like, weight, None, *geometry, False, [0, 0], len(weight), wanted
        )[0]
        return slope

    @staticmethod
    def backward(ctx: Convolution, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        g, weight = ctx.saved_tensors
        x = image_memory(gradients[0])
        slope_g = depthwise(x, weight, *ctx.geometry) if wanted(ctx, 0) else None
        slope_w = _weight_slope(x, g, weight, *ctx.geometry) if wanted(ctx, 1) else None
        return slope_g, slope_w, None, None, None


class _DepthwiseWeight(Function):
    """w(x, g)."""

    @staticmethod
    def forward(ctx: Convolution, x: Tensor, g: Tensor, like: Tensor, stride: int, dilation: int) -> Tensor:
        ctx.save_for_backward(x, g)
        ctx.geometry = stride, dilation
        if dilation > 1:  # within each of its phases a dilated convolution is a plain one
            x, g = _phases(x, dilation), _phases(g, dilation)
        kernel = like.shape[-1]
        if kernel <= FAST_WIDTH or kernel > 2 * FAST_WIDTH - 1 or min(g.shape[2:]) < kernel:
            return _native_slope(g, x, like, stride, [kernel // 2] * 2)
        narrow, shift = like[..., :FAST_WIDTH], kernel - FAST_WIDTH
        first, last = (
            _native_slope(g, image, narrow, stride, [kernel // 2, 0]) for image in _shifted(x, shift)
        )
        return torch.cat([first[..., :shift], last], 3)

    @staticmethod
    def backward(ctx: Convolution, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, g = ctx.saved_tensors
        (weight,) = gradients
        slope_x = _input_slope(g, weight, x, *ctx.geometry) if wanted(ctx, 0) else None
        slope_g = depthwise(x, weight, *ctx.geometry) if wanted(ctx, 1) else None
        return slope_x, slope_g, None, None, None


def _input_slope(g: Tensor, weight: Tensor, like: Tensor, stride: int, dilation: int) -> Tensor:
    if stride == 1:
        return depthwise(g, weight.flip(2, 3), 1, dilation)
    slope: Tensor = _DepthwiseInput.apply(  # type: ignore[no-untyped-call]
        g, weight, like.detach(), stride, dilation
    )
    return slope


def _weight_slope(x: Tensor, g: Tensor, like: Tensor, stride: int, dilation: int) -> Tensor:
    slope: Tensor = _DepthwiseWeight.apply(  # type: ignore[no-untyped-call]
        x, g, like.detach(), stride, dilation
    )
    return slope


def _native_slope(g: Tensor, x: Tensor, weight: Tensor, stride: int, padding: list[int]) -> Tensor:
    """Torch's own gradient for the weight."""
    slope: Tensor = torch.ops.aten.convolution_backward(
        g, x, weight, None, [stride] * 2, padding, [1, 1], False, [0, 0], len(weight), [False, True, False]
    )[1]
    return slope


def _phases(x: Tensor, step: int) -> Tensor:
    """Every step-th pixel, from each of the first: (N, C, H, W) to (step² N, C, ⌈H/step⌉, ⌈W/step⌉)."""
    missing = [-size % step for size in x.shape[2:]]
    if any(missing):
        x = functional.pad(x, (0, missing[1], 0, missing[0]))
    count, channels, height, width = x.shape
    parts = x.permute(0, 2, 3, 1).reshape(count, height // step, step, width // step, step, channels)
    parts = parts.permute(2, 4, 0, 1, 3, 5).reshape(-1, height // step, width // step, channels)
    return parts.permute(0, 3, 1, 2)


def _shifted(x: Tensor, shift: int) -> tuple[Tensor, Tensor]:
    """Two views (N, C, H, W + shift) of `x` in one frame: behind and before `shift` columns of zeros.

    The second one begins `shift` columns later in memory, so that each of its rows ends in the zeros before
    the next one.
    """
    count, channels, height, width = x.shape
    size = width + shift
    memory = x.new_empty((count * height * size + shift) * channels)
    memory[-shift * channels :] = 0
    frame = memory[: -shift * channels].view(count, height, size, channels)
    frame[:, :, :shift] = 0
    frame[:, :, shift:] = x.permute(0, 2, 3, 1)
    later = memory[shift * channels :].view(count, height, size, channels)
    return frame.permute(0, 3, 1, 2), later.permute(0, 3, 1, 2)


def pointwise(x: Tensor, weight: Tensor) -> Tensor:
    """1×1 convolutions of the parts of a wide image: (N, T·I, H, W) and (T, O, I) to (N, T·O, H, W)."""
    if not by_hand(x) or weight.shape[2] < SMALL:
        return functional.conv2d(x, weight.flatten(0, 1)[:, :, None, None], groups=len(weight))
    value: Tensor = _Pointwise.apply(x, weight)  # type: ignore[no-untyped-call]
    return value


def _rows(x: Tensor) -> Tensor:
    """(N, C, H, W) to (N·H·W, C), a view where `x` is in channels-last memory."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


class _Pointwise(Function):
    """y(x, w); x(g, w) is y(g, wᵀ)."""

    @staticmethod
    def forward(ctx: GradientContext, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        (count, _, height, width), (parts, outputs, _) = x.shape, weight.shape
        value = x.new_empty(count, height, width, parts * outputs)
        flat = value.view(-1, parts * outputs)
        sources, targets = _rows(x).chunk(parts, 1), flat.chunk(parts, 1)
        for source, matrix, target in zip(sources, weight, targets, strict=True):
            torch.mm(source, matrix.t(), out=target)
        return value.permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: GradientContext, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        g = image_memory(gradients[0])
        slope_x = pointwise(g, weight.transpose(1, 2)) if wanted(ctx, 0) else None
        if not wanted(ctx, 1):
            return slope_x, None
        return slope_x, _PointwiseWeight.apply(x, g, len(weight))  # type: ignore[no-untyped-call]


class _PointwiseWeight(Function):
    """w(x, g)."""

    @staticmethod
    def forward(ctx: GradientContext, x: Tensor, g: Tensor, parts: int) -> Tensor:
        ctx.save_for_backward(x, g)
        sources, targets = _rows(x).chunk(parts, 1), _rows(g).chunk(parts, 1)
        weight = x.new_empty(parts, targets[0].shape[1], sources[0].shape[1])
        for source, target, matrix in zip(sources, targets, weight, strict=True):
            torch.mm(target.t(), source, out=matrix)
        return weight

    @staticmethod
    def backward(ctx: GradientContext, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, g = ctx.saved_tensors
        (weight,) = gradients
        slope_x = pointwise(g, weight.transpose(1, 2)) if wanted(ctx, 0) else None
        slope_g = pointwise(x, weight) if wanted(ctx, 1) else None
        return slope_x, slope_g, None
