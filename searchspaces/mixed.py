"""What supernets share: separable convolutions of several edges at once, sums over edges, partial channels.

All edges from one state take the same input, so their convolutions of one kind work on one wide image, and
its ReLU, poolings and their normalisations are computed once. An edge's strengths scale its normalised
values, and `combine` adds them up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional

from automl.contracts import UserError
from automl.searchspaces.kernels import depthwise, pointwise
from automl.searchspaces.normalise import Norm
from automl.searchspaces.operations import image_memory


class Separables(nn.Module):
    """BN(pointwise(depthwise(·))) on each of several edges; see `automl.searchspaces.kernels.depthwise`."""

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
    if x.device.type != "cpu":
        pooled: Tensor = functional.avg_pool2d(x, 3, stride, padding=1, count_include_pad=False)
        return pooled
    total = depthwise(x, x.new_ones(x.shape[1], 1, 3, 3), stride)
    present = functional.conv2d(x.new_ones(1, 1, *x.shape[2:]), x.new_ones(1, 1, 3, 3), None, stride, 1)
    mean: Tensor = total / present
    return mean


class Part(NamedTuple):
    """Values for the nodes `targets`: one part each of a wide image, or one image times their `scale`."""

    value: Tensor
    targets: list[int]
    scale: Tensor | None = None


def combine(parts: Sequence[Part]) -> dict[int, Tensor]:
    """The sum of the parts for each node."""
    if not parts:
        return {}
    tensors = [t for part in parts for t in (part.value, part.scale) if t is not None]
    layout = [(tuple(part.targets), part.scale is not None) for part in parts]
    sums = _Combine.apply(layout, *tensors)  # type: ignore[no-untyped-call]
    return dict(zip(_targets(layout), sums, strict=True))


Layout = list[tuple[tuple[int, ...], bool]]  # for each part: its nodes, whether it has a scale


def _targets(layout: Layout) -> list[int]:
    return sorted({target for targets, _ in layout for target in targets})


class _Combine(Function):
    """The sums as one node of the graph: the slope of a wide image is the nodes' slopes side by side."""

    @staticmethod
    def forward(ctx: Any, layout: Layout, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.layout = layout
        left = iter(tensors)
        wide: dict[tuple[int, ...], Tensor] = {}
        shared: list[tuple[tuple[int, ...], Tensor, Tensor]] = []
        fresh = set()  # whose sum is memory of its own
        for targets, scaled in layout:
            value = next(left)
            if scaled:
                shared.append((targets, value, next(left)))
            elif targets in wide:
                wide[targets] = wide[targets].add_(value) if targets in fresh else wide[targets] + value
                fresh.add(targets)
            else:
                wide[targets] = value
        ctx.save_for_backward(*(tensor for _, value, scale in shared for tensor in (value, scale)))
        sums: dict[int, Tensor] = {}
        for targets, total in wide.items():
            for target, piece in zip(targets, total.chunk(len(targets), 1), strict=True):
                _add(sums, target, piece)
        for targets, value, scale in shared:
            for target, factor in zip(targets, scale.unbind(), strict=True):
                if target in sums:
                    sums[target].addcmul_(value, factor)
                else:
                    sums[target] = value * factor
        return tuple(sums[target] for target in _targets(layout))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        slopes = {target: image_memory(g) for target, g in zip(_targets(ctx.layout), gradients, strict=True)}
        saved, wide = iter(ctx.saved_tensors), dict[tuple[int, ...], Tensor]()
        found: list[Tensor | None] = [None]
        for targets, scaled in ctx.layout:
            if not scaled:
                if targets not in wide:
                    wide[targets] = torch.cat([slopes[target] for target in targets], 1)
                found.append(wide[targets])
                continue
            value, scale, place = next(saved), next(saved), len(found)
            found.append(_weighted(slopes, targets, scale) if ctx.needs_input_grad[place] else None)
            found.append(_products(slopes, targets, value) if ctx.needs_input_grad[place + 1] else None)
        return tuple(found)


def _add(sums: dict[int, Tensor], target: int, piece: Tensor) -> None:
    if target in sums:
        sums[target].add_(piece)
    else:
        sums[target] = piece.clone(memory_format=torch.channels_last)


def _weighted(slopes: dict[int, Tensor], targets: Sequence[int], scale: Tensor) -> Tensor:
    factors = scale.unbind()
    total = slopes[targets[0]] * factors[0]
    for target, factor in zip(targets[1:], factors[1:], strict=True):
        total = torch.addcmul(total, slopes[target], factor)
    return total


def _products(slopes: dict[int, Tensor], targets: Sequence[int], value: Tensor) -> Tensor:
    flat = value.permute(0, 2, 3, 1).flatten()
    return torch.stack([torch.dot(slopes[target].permute(0, 2, 3, 1).flatten(), flat) for target in targets])


def working_channels(channels: int, partial: int) -> int:
    """Channels that pass through the operations. Raises `UserError` unless `partial` divides `channels`."""
    if partial < 1 or channels % partial:
        raise UserError(
            f"a supernet's channels must be a multiple of its partial, but got channels={channels} and "
            f"partial={partial}; choose others"
        )
    return channels // partial


def shuffle(x: Tensor, groups: int) -> Tensor:
    """Interleave the channels of `groups` equal parts (Zhang et al. 2018, ShuffleNet)."""
    count, channels, height, width = x.shape
    return x.reshape(count, groups, channels // groups, height, width).transpose(1, 2).flatten(1, 2)
