"""Operations, stem, reduction and head that the image search spaces share (Dong & Yang 2020, section 2.1).

Every convolution is ReLU–convolution–batch-norm without bias; `affine`: a batch-norm has a learned scale and
shift, which a supernet's has not. Tensors are (batch, channels, height, width).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from automl.contracts import Config, UserError
from automl.layers.regularised import Droppable
from automl.space import Choice, Space

STAGES = 3


class ReLUConvBN(nn.Sequential):
    """BN(conv(ReLU(x))): (N, inputs, H, W) to (N, outputs, ⌈H/stride⌉, ⌈W/stride⌉)."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, affine: bool = True
    ) -> None:
        convolution = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False)
        super().__init__(nn.ReLU(), convolution, nn.BatchNorm2d(outputs, affine=affine))


class ResidualBlock(Droppable):
    """Two ReLU-Conv-BN, a path, around a shortcut; stride 2 halves height and width (rounding up).

    The shortcut of a block that changes the shape is an average pooling and a 1×1 convolution.
    """

    def __init__(
        self, inputs: int, outputs: int, *, stride: int = 1, kernel: int = 3, affine: bool = True
    ) -> None:
        super().__init__()
        self.body = nn.Sequential(
            ReLUConvBN(inputs, outputs, kernel, stride=stride, affine=affine),
            ReLUConvBN(outputs, outputs, kernel, affine=affine),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1:
            pool = nn.AvgPool2d(stride, ceil_mode=True)
            self.shortcut = nn.Sequential(pool, nn.Conv2d(inputs, outputs, 1, bias=False))
        elif inputs != outputs:
            self.shortcut = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, ⌈H/stride⌉, ⌈W/stride⌉)."""
        total: Tensor = self.shortcut(x) + self.dropped(self.body(x))
        return total


class Stem(nn.Sequential):
    """BN(conv 3×3): images to (N, channels, H, W)."""

    def __init__(self, inputs: int, channels: int, *, affine: bool = True) -> None:
        convolution = nn.Conv2d(inputs, channels, 3, padding=1, bias=False)
        super().__init__(convolution, nn.BatchNorm2d(channels, affine=affine))


class Head(nn.Module):
    """ReLU(BN(x)), the mean over all pixels, and a linear classifier: (N, channels, H, W) to (N, classes)."""

    def __init__(self, channels: int, classes: int, *, affine: bool = True) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=affine)
        self.classifier = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        logits: Tensor = self.classifier(functional.relu(self.norm(x)).mean((2, 3)))
        return logits


def average_pool(x: Tensor) -> Tensor:
    """Mean over the 3×3 neighbourhood, padding not counted; the shape stays."""
    return functional.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


def allowed(edges: Sequence[str], operations: Sequence[str], space: Space) -> Tensor:
    """(edges, operations), bool: the options that `space` leaves, where every edge is a parameter of it."""
    rows = []
    for edge in edges:
        parameter = space.parameters[edge]
        assert isinstance(parameter, Choice)
        rows.append([name in parameter.options for name in operations])
    return torch.tensor(rows)


def strongest(edges: Sequence[str], operations: Sequence[str], strengths: Tensor, space: Space) -> Config:
    """Each edge's strongest option in `space`; `none` only where nothing else is left."""
    table = strengths.detach().double().cpu().clone()
    if "none" in operations:
        table[:, operations.index("none")] -= 2  # below every strength, above what is not allowed
    chosen = table.masked_fill(~allowed(edges, operations, space), -math.inf).argmax(1).tolist()
    return {edge: operations[index] for edge, index in zip(edges, chosen, strict=True)}


def check_image(shape: Sequence[int], classes: int) -> None:
    """Raise `UserError` unless the task is images (channels, height, width) with two or more classes."""
    if len(shape) != 3 or min(shape) < 1:
        raise UserError(
            f"an image search space needs data of shape (channels, height, width), but got {tuple(shape)}; "
            "choose an image dataset or another space"
        )
    if classes < 2:
        raise UserError(f"an image search space needs at least 2 classes, but got {classes}")


def image_memory(x: Tensor) -> Tensor:
    """The same tensor in the memory layout that convolutions run fastest on."""
    return x.contiguous(memory_format=torch.channels_last)
