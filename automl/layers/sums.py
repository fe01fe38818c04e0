"""Sums over the edges that enter a node, as one node of autograd's graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.autograd import Function

from automl.layers.gradients import GradientContext
from automl.layers.operations import image_memory


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


class _SumContext(GradientContext, Protocol):
    layout: Layout


class _Combine(Function):
    """The sums as one node of the graph: the slope of a wide image is the nodes' slopes side by side."""

    @staticmethod
    def forward(ctx: _SumContext, layout: Layout, *tensors: Tensor) -> tuple[Tensor, ...]:
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
    def backward(ctx: _SumContext, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        slopes = {target: image_memory(g) for target, g in zip(_targets(ctx.layout), gradients, strict=True)}
        saved, wide = iter(ctx.saved_tensors), dict[tuple[int, ...], Tensor]()
        inputs: list[Tensor | None] = [None]
        for targets, scaled in ctx.layout:
            if not scaled:
                if targets not in wide:
                    wide[targets] = torch.cat([slopes[target] for target in targets], 1)
                inputs.append(wide[targets])
                continue
            value, scale, place = next(saved), next(saved), len(inputs)
            inputs.append(_weighted(slopes, targets, scale) if ctx.needs_input_grad[place] else None)
            inputs.append(_products(slopes, targets, value) if ctx.needs_input_grad[place + 1] else None)
        return tuple(inputs)


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
    flat = value.permute(0, 2, 3, 1).flatten().to(slopes[targets[0]].dtype)
    return torch.stack([torch.dot(slopes[target].permute(0, 2, 3, 1).flatten(), flat) for target in targets])
