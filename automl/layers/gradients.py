"""What PyTorch hands to functions with gradients of their own, and which gradients a backward pass needs."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor


class GradientContext(Protocol):
    """What PyTorch keeps between the forward and the backward pass of one function call."""

    needs_input_grad: tuple[bool, ...]
    next_functions: tuple[tuple[torch.autograd.graph.Node, int], ...]
    saved_tensors: tuple[Any, ...]  # Tensor, or None where None was saved

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep tensors for the backward pass."""

    def set_materialize_grads(self, value: bool) -> None:
        """Whether a missing gradient is given as zeros rather than as None."""


class Convolution(GradientContext, Protocol):
    """The context of a convolution."""

    geometry: tuple[int, int]  # stride and dilation


def wanted(ctx: GradientContext, place: int) -> bool:
    """Whether this backward pass needs the gradient of an input; `needs_input_grad` says if any pass may.

    So a step that differentiates for strengths alone forms no gradients of weights.
    """
    if not ctx.needs_input_grad[place]:
        return False
    node = ctx.next_functions[place][0]
    if node.name() == "torch::autograd::AccumulateGrad":
        return True
    needed: bool = torch._C._will_engine_execute_node(node)
    return needed
