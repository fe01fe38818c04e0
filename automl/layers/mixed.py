"""Operations on the edges from one state of a supernet's cell, all at once.

All edges from one state take the same input, so their convolutions of one kind work on one wide image, and
its ReLU, poolings and their normalisations are computed once. Strengths scale the normalised values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from automl.layers.darts_operations import Noise
from automl.layers.kernels import by_hand, depthwise, pointwise
from automl.layers.normalise import Norm
from automl.layers.operations import image_memory
from automl.layers.sums import Part

Use: TypeAlias = tuple[list[int], Tensor]  # nodes, and the strength for each of them


class Separables(nn.Module):
    """BN(pointwise(depthwise(·))) on each of several edges; see `automl.layers.kernels.depthwise`."""

    def __init__(self, edges: int, channels: int, kernel: int, *, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.stride, self.dilation = stride, dilation
        self.depthwise = nn.ModuleList(
            nn.Conv2d(channels, channels, kernel, groups=channels, bias=False) for _ in range(edges)
        )
        self.pointwise = nn.ModuleList(nn.Conv2d(channels, channels, 1, bias=False) for _ in range(edges))
        self.norm = Norm(channels, edges)

    def forward(self, x: Tensor, edges: list[int] | None = None, scale: Tensor | None = None) -> Tensor:
        """ReLU'd (N, T·C, H, W), a part for each of `edges` (None: all), to as wide an image."""
        chosen = range(len(self.depthwise)) if edges is None else edges
        kernels, matrices = weights(self.depthwise, chosen), weights(self.pointwise, chosen)
        matrices = matrices.view(len(chosen), -1, matrices.shape[1])
        x = pointwise(depthwise(x, kernels, self.stride, self.dilation), matrices)
        value: Tensor = self.norm(x, scale, edges)
        return value


def weights(layers: nn.ModuleList, chosen: Sequence[int]) -> Tensor:
    """The weights of the `chosen` convolutions one behind the other."""
    found: list[Tensor] = [layers[place].weight for place in chosen]  # type: ignore[misc]
    return torch.cat(found)


class DoubleSeparables(nn.Module):
    """Two separable convolutions one after the other on each of several edges; the first is strided."""

    def __init__(self, edges: int, channels: int, kernel: int, *, stride: int = 1) -> None:
        super().__init__()
        self.first = Separables(edges, channels, kernel, stride=stride)
        self.second = Separables(edges, channels, kernel)

    def forward(self, x: Tensor, edges: list[int] | None = None, scale: Tensor | None = None) -> Tensor:
        """ReLU'd (N, T·C, H, W), a part for each of `edges` (None: all), to as wide an image."""
        value: Tensor = self.second(functional.relu(self.first(x, edges)), edges, scale)
        return value


class Convolutions(nn.Module):
    """BN(conv(·)) on each of several edges."""

    def __init__(self, edges: int, channels: int, kernel: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv2d(channels, channels, kernel, padding=kernel // 2, bias=False) for _ in range(edges)
        )
        self.norm = Norm(channels, edges)

    def forward(self, x: Tensor, edges: list[int] | None = None, scale: Tensor | None = None) -> Tensor:
        """ReLU'd (N, C, H, W) to (N, T·C, H, W), a part for each of `edges` (None: all)."""
        weight = weights(self.layers, range(len(self.layers)) if edges is None else edges)
        value: Tensor = self.norm(functional.conv2d(x, weight, padding=weight.shape[-1] // 2), scale, edges)
        return value


class Reductions(nn.Module):
    """Skip connections of stride 2 on several edges: 1×1 convolutions of even and of odd pixels, BN."""

    def __init__(self, edges: int, channels: int) -> None:
        super().__init__()
        odd = channels // 2
        self.even = nn.ModuleList(nn.Conv2d(channels, channels - odd, 1, bias=False) for _ in range(edges))
        self.odd = nn.ModuleList(nn.Conv2d(channels, odd, 1, bias=False) for _ in range(edges))
        self.norm = Norm(channels, edges)

    def forward(self, x: Tensor, edges: list[int] | None = None, scale: Tensor | None = None) -> Tensor:
        """ReLU'd (N, C, H, W) to (N, T·C, ⌈H/2⌉, ⌈W/2⌉), a part for each of `edges` (None: all)."""
        chosen = range(len(self.even)) if edges is None else edges
        height, width = (size % 2 for size in x.shape[2:])
        shifted = functional.pad(x, (0, width, 0, height))[:, :, 1:, 1:]
        halves: list[tuple[Tensor, ...]] = []
        for image, layers in ((x, self.even), (shifted, self.odd)):
            weight = weights(layers, chosen)
            half = functional.conv2d(image_memory(image[:, :, ::2, ::2]), weight)
            halves.append(half.chunk(len(chosen), 1))
        wide = torch.cat([part for pair in zip(*halves, strict=True) for part in pair], 1)
        value: Tensor = self.norm(image_memory(wide), scale, edges)
        return value


class Pool(nn.Module):
    """BN(pooling 3×3), computed once for all edges from a state."""

    def __init__(self, channels: int, pool: Callable[[Tensor, int], Tensor], stride: int) -> None:
        super().__init__()
        self.pool, self.stride = pool, stride
        self.norm = Norm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, ⌈H/stride⌉, ⌈W/stride⌉)."""
        value: Tensor = self.norm(self.pool(x, self.stride))
        return value


def max_pool(x: Tensor, stride: int = 1) -> Tensor:
    """The largest of the 3×3 neighbourhood: (N, C, H, W) to (N, C, ⌈H/stride⌉, ⌈W/stride⌉)."""
    value: Tensor = functional.max_pool2d(x, 3, stride, padding=1)
    return value


def average_pool(x: Tensor, stride: int = 1) -> Tensor:
    """Mean over the 3×3 neighbourhood, padding not counted; shapes as in `max_pool`.

    As a depthwise convolution with ones, which is several times faster than torch's pooling on a CPU.
    """
    if not by_hand(x):
        pooled: Tensor = functional.avg_pool2d(x, 3, stride, padding=1, count_include_pad=False)
        return pooled
    total = depthwise(x, x.new_ones(x.shape[1], 1, 3, 3), stride)
    present = functional.conv2d(x.new_ones(1, 1, *x.shape[2:]), x.new_ones(1, 1, 3, 3), None, stride, 1)
    mean: Tensor = total / present
    return mean


class Source:
    """A state as the operations want it, each form made once."""

    def __init__(self, state: Tensor, stride: int) -> None:
        self.state, self.stride = state, stride
        self._found: dict[tuple[int, bool], Tensor] = {}

    def positive(self, copies: int = 1, *, dilated: bool = False) -> Tensor:
        """ReLU of the state, `copies` times side by side; for strided dilated kernels what they see of it."""
        thin = dilated and self.stride > 1
        if (copies, thin) not in self._found:
            if copies > 1:
                value = torch.cat([self.positive(dilated=dilated)] * copies, 1)
            elif thin:
                value = image_memory(self.positive()[:, :, :: self.stride, :: self.stride])
            else:
                value = functional.relu(self.state)
            self._found[copies, thin] = value
        return self._found[copies, thin]


class Fan(nn.Module):
    """All operations on the edges from one state to later nodes of its cell. Without `none`."""

    def __init__(self, mixed: dict[int, tuple[str, ...]], channels: int, stride: int) -> None:
        """`mixed`: the operations by node."""
        super().__init__()
        self.stride = stride
        names = dict.fromkeys(name for names in mixed.values() for name in names)
        self.nodes = {name: [node for node, names in mixed.items() if name in names] for name in names}
        self.parts = nn.ModuleDict()
        for name, nodes in self.nodes.items():
            part = self._part(name, len(nodes), channels)
            self.parts.update({name: part} if part is not None else {})

    def _part(self, name: str, edges: int, channels: int) -> nn.Module | None:
        part: nn.Module | None = None  # the identity
        kernel, stride = name[-1], self.stride
        if name.endswith("pool_3x3"):
            part = Pool(channels, max_pool if name.startswith("max") else average_pool, stride)
        elif name.startswith("sep_conv"):
            part = DoubleSeparables(edges, channels, int(kernel), stride=stride)
        elif name.startswith("dil_conv"):  # strided, it gets the pixels it sees alone: `Source.positive`
            part = Separables(edges, channels, int(kernel), dilation=1 if stride > 1 else 2)
        elif name == "noise":
            part = Noise(stride)
        elif name.startswith("nor_conv"):
            part = Convolutions(edges, channels, int(kernel))
        elif stride > 1:
            part = Reductions(edges, channels)
        return part

    def forward(self, state: Tensor, uses: dict[str, Use]) -> list[Part]:
        """What the operations in `uses` add to which nodes."""
        source, found = Source(state, self.stride), []
        for name, (nodes, strengths) in uses.items():
            if name == "noise":  # drawn for each edge
                values = [image_memory(self.parts[name](state)) for _ in nodes]
                found += [Part(value, [nodes[i]], strengths[i : i + 1]) for i, value in enumerate(values)]
            elif name not in self.parts:
                found.append(Part(state, nodes, strengths))
            elif isinstance(self.parts[name], Pool):
                found.append(Part(self.parts[name](state), nodes, strengths))
            else:
                copies = len(nodes) if "_conv" in name and not name.startswith("nor_") else 1
                wide = source.positive(copies, dilated=name.startswith("dil_conv"))
                places = [self.nodes[name].index(node) for node in nodes]
                edges = places if len(nodes) < len(self.nodes[name]) else None
                found.append(Part(self.parts[name](wide, edges, strengths), nodes))
        return found
