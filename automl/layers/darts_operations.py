"""The operations of the DARTS family: (N, C, H, W) to (N, C, ⌈H/stride⌉, ⌈W/stride⌉).

Liu, Simonyan & Yang 2019, section 3.1: ReLU, convolution, batch-norm, in this order. With `affine`
batch-norms have a learned scale and shift, as in training from scratch; a supernet's have none, because
they would rescale the operations that its strengths compare, and there a batch-norm follows pooling too
(`searched`).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from automl.ranks.sharing import normal


class Conv(nn.Sequential):
    """BN(conv(ReLU(x))) of a 1×1 convolution: (N, inputs, H, W) to (N, outputs, H, W)."""

    def __init__(self, inputs: int, outputs: int, *, affine: bool = True) -> None:
        convolution = nn.Conv2d(inputs, outputs, 1, bias=False)
        super().__init__(nn.ReLU(), convolution, nn.BatchNorm2d(outputs, affine=affine))


class DepthwiseSeparable(nn.Sequential):
    """BN(pointwise(depthwise(ReLU(x)))), the depthwise convolution dilated or strided."""

    def __init__(
        self, channels: int, kernel: int, *, stride: int = 1, dilation: int = 1, affine: bool = True
    ) -> None:
        depthwise = nn.Conv2d(
            channels,
            channels,
            kernel,
            stride=stride,
            padding=dilation * (kernel // 2),
            dilation=dilation,
            groups=channels,
            bias=False,
        )
        pointwise = nn.Conv2d(channels, channels, 1, bias=False)
        super().__init__(nn.ReLU(), depthwise, pointwise, nn.BatchNorm2d(channels, affine=affine))


class FactorizedReduce(nn.Module):
    """Half the height and width (rounding up) by two 1×1 convolutions of stride 2.

    One sees the pixels at even places, the other those at odd ones; each gives half of the channels.
    """

    def __init__(self, inputs: int, outputs: int, *, affine: bool = True) -> None:
        super().__init__()
        self.even = nn.Conv2d(inputs, outputs - outputs // 2, 1, stride=2, bias=False)
        self.odd = nn.Conv2d(inputs, outputs // 2, 1, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(outputs, affine=affine)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, ⌈H/2⌉, ⌈W/2⌉)."""
        x = functional.relu(x)
        height, width = x.shape[2] % 2, x.shape[3] % 2
        shifted = functional.pad(x, (0, width, 0, height))[:, :, 1:, 1:]  # the missing pixel is zero
        value: Tensor = self.norm(torch.cat([self.even(x), self.odd(shifted)], 1))
        return value


class Noise(nn.Module):
    """Standard normal noise in place of the input, drawn anew in every forward (Zela et al. 2020, S4)."""

    def __init__(self, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, ⌈H/stride⌉, ⌈W/stride⌉); no gradient reaches x."""
        like = torch.empty_like(x[:, :, :: self.stride, :: self.stride])
        # drawn in the order of the indices, whatever the memory layout
        return like.copy_(normal(like, *like.shape[1:]))


def separable(channels: int, kernel: int, stride: int, affine: bool) -> nn.Module:
    """A depthwise separable convolution applied twice; the first is strided."""
    return nn.Sequential(
        DepthwiseSeparable(channels, kernel, stride=stride, affine=affine),
        DepthwiseSeparable(channels, kernel, affine=affine),
    )


def operation(
    name: str, channels: int, stride: int = 1, *, affine: bool = True, searched: bool = False
) -> nn.Module:
    """The operation `name` (any but `none`) of the family; `searched`: batch-norm follows pooling."""
    kernel = int(name[-1]) if name[-1].isdigit() else 0
    if name == "skip_connect":
        return nn.Identity() if stride == 1 else FactorizedReduce(channels, channels, affine=affine)
    if name == "noise":
        return Noise(stride)
    if name.startswith("sep_conv"):
        return separable(channels, kernel, stride, affine)
    if name.startswith("dil_conv"):
        return DepthwiseSeparable(channels, kernel, stride=stride, dilation=2, affine=affine)
    pool: nn.Module = nn.MaxPool2d(kernel, stride, padding=1)
    if name.startswith("avg_pool"):
        pool = nn.AvgPool2d(kernel, stride, padding=1, count_include_pad=False)
    return nn.Sequential(pool, nn.BatchNorm2d(channels, affine=affine)) if searched else pool
