"""The networks of backbones, as functions of their parameters: `conv4`, `resnet12` (small), `mlp`."""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar, TypeAlias

from torch import Tensor
from torch.nn import functional

from automl.learners.layouts import Layout, Tensors, linear

Shape: TypeAlias = tuple[int, ...]

BLOCKS = 4
HIDDEN = 2  # hidden layers of `mlp`
SLOPE = 0.1  # of resnet12's leaky ReLU


class Network(ABC):
    """A network from inputs of `shape` to `features(shape, width)` numbers. `images`: what it takes."""

    images: ClassVar[bool] = True

    @abstractmethod
    def shapes(self, shape: Shape, width: int) -> dict[str, Shape]:
        """The shapes of its parameters by name."""

    @abstractmethod
    def features(self, shape: Shape, width: int) -> int:
        """How many numbers come out for one input."""

    @abstractmethod
    def values(self, shape: Shape, width: int) -> int:
        """About how many values a forward pass keeps of one input for its gradient."""

    @abstractmethod
    def run(self, params: Tensors, x: Tensor, layout: Layout) -> Tensor:
        """Features of inputs, in the form that `layout` asks for."""


class Mlp(Network):
    """Hidden layers of `width` units with ReLU (Finn et al. 2017, https://arxiv.org/abs/1703.03400)."""

    images: ClassVar[bool] = False

    def shapes(self, shape: Shape, width: int) -> dict[str, Shape]:
        """`<layer>.weight` and `<layer>.bias`."""
        sizes = [math.prod(shape), *[width] * HIDDEN]
        return {
            f"{layer}.{kind}": size
            for layer, (before, after) in enumerate(itertools.pairwise(sizes))
            for kind, size in (("weight", (after, before)), ("bias", (after,)))
        }

    def features(self, shape: Shape, width: int) -> int:
        """The units of the last layer."""
        return width

    def values(self, shape: Shape, width: int) -> int:
        """The input, and each layer before and after ReLU."""
        return math.prod(shape) + 2 * HIDDEN * width

    def run(self, params: Tensors, x: Tensor, layout: Layout) -> Tensor:
        """Features (…, n, width) of inputs (…, n, inputs); rows need no layout."""
        for layer in range(HIDDEN):
            x = functional.relu(linear(x, params[f"{layer}.weight"], params[f"{layer}.bias"]))
        return x


class ConvNetwork(Network):
    """Four blocks, each of which ends in 2×2 max-pooling as long as there is more than one pixel a side."""

    kept: ClassVar[int]  # values that a block keeps of each of its pixels and channels

    @abstractmethod
    def channels(self, width: int, block: int) -> int:
        """How many channels come out of a block."""

    @abstractmethod
    def units(self, block: int, before: int, after: int) -> Iterator[tuple[str, int, int]]:
        """Name, input channels and kernel size of each convolution of a block."""

    def shapes(self, shape: Shape, width: int) -> dict[str, Shape]:
        """`<unit>.weight`, `<unit>.scale` and `<unit>.shift`."""
        shapes: dict[str, Shape] = {}
        before = shape[0]
        for block in range(BLOCKS):
            after = self.channels(width, block)
            for name, inputs, side in self.units(block, before, after):
                shapes[f"{name}.weight"] = (after, inputs, side, side)
                shapes[f"{name}.scale"] = shapes[f"{name}.shift"] = (after,)
            before = after
        return shapes

    def values(self, shape: Shape, width: int) -> int:
        """The input, and `kept` values for each pixel and channel of a block."""
        values = math.prod(shape)
        for block, (height, across) in enumerate(_sides(shape)[:-1]):
            values += self.channels(width, block) * height * across * self.kept
        return values


class Conv4(ConvNetwork):
    """3×3 convolution to `width` channels, batch norm, ReLU, pooling, four times.

    Vinyals et al. 2016, https://arxiv.org/abs/1606.04080.
    """

    kept: ClassVar[int] = 3

    def channels(self, width: int, block: int) -> int:
        """The same in all blocks."""
        return width

    def units(self, block: int, before: int, after: int) -> Iterator[tuple[str, int, int]]:
        """One convolution."""
        yield str(block), before, 3

    def features(self, shape: Shape, width: int) -> int:
        """All pixels that are left, of all channels."""
        return width * math.prod(_sides(shape)[-1])

    def run(self, params: Tensors, x: Tensor, layout: Layout) -> Tensor:
        """Features (…, n, features)."""
        x = layout.enter(x)
        for block in range(BLOCKS):
            x = functional.relu(_pool(_unit(params, str(block), x, layout)))  # as pooling after, cheaper
        return layout.leave(x)


class ResNet12(ConvNetwork):
    """Residual blocks of three 3×3 convolutions to width, 2·width, 4·width, 8·width channels.

    The mean over the pixels comes out. Oreshkin et al. 2018, https://arxiv.org/abs/1805.10123, small.
    """

    kept: ClassVar[int] = 11

    def channels(self, width: int, block: int) -> int:
        """Twice those of the block before."""
        return width << block

    def units(self, block: int, before: int, after: int) -> Iterator[tuple[str, int, int]]:
        """The short cut and three convolutions."""
        yield f"{block}.short", before, 1
        yield f"{block}.0", before, 3
        yield f"{block}.1", after, 3
        yield f"{block}.2", after, 3

    def features(self, shape: Shape, width: int) -> int:
        """The channels of the last block."""
        return self.channels(width, BLOCKS - 1)

    def run(self, params: Tensors, x: Tensor, layout: Layout) -> Tensor:
        """Features (…, n, features)."""
        x = layout.enter(x)
        for block in range(BLOCKS):
            short = _unit(params, f"{block}.short", x, layout)
            for unit in range(3):
                x = _unit(params, f"{block}.{unit}", x, layout)
                x = functional.leaky_relu(x if unit < 2 else x + short, SLOPE)
            x = _pool(x)
        return layout.leave(x.mean((2, 3), keepdim=True))


NETWORKS: dict[str, Network] = {"conv4": Conv4(), "resnet12": ResNet12(), "mlp": Mlp()}


def _unit(params: Tensors, name: str, x: Tensor, layout: Layout) -> Tensor:
    x = layout.convolve(x, params[f"{name}.weight"])
    return layout.norm(x, params[f"{name}.scale"], params[f"{name}.shift"])


def _pool(x: Tensor) -> Tensor:
    return functional.max_pool2d(x, 2) if min(x.shape[2:]) > 1 else x


def _sides(shape: Shape) -> list[tuple[int, int]]:
    """Height and width before the first block and after each of them."""
    height, width = shape[1:]
    sides = [(height, width)]
    for _ in range(BLOCKS):
        if min(height, width) > 1:
            height, width = height // 2, width // 2
        sides.append((height, width))
    return sides
