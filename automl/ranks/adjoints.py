"""From each rank's part of a batch to what all ranks hold, and back, with gradients of any order.

A value is either *replicated*, the same on all ranks (weights, joint outputs, losses, and every gradient for
such a value), or *local* (activations of this rank's rows). Four functions lead from one to the other, two
pairs of adjoints, so that backward passes of any order are those of the joint batch:

    local rows → replicated: `_Gather`      replicated → local rows: `_Rows`
    local → replicated: `_Sum`              replicated → local: `_Copy`, the identity

Weights enter a shared pass as copies; so gradients are summed over the ranks where they are born, also the
first of two derivatives. A sum taken only at the end leaves out what ranks owe each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch.autograd import Function

from automl.ranks.group import Group

if TYPE_CHECKING:
    from automl.ranks.sharing import Share


def copies(group: Group, tensors: Sequence[Tensor]) -> list[Tensor]:
    """Replicated `tensors` for local use: their gradients are summed over the ranks, in one call."""
    return list(_Copy.apply(group, *tensors)) if tensors else []  # type: ignore[no-untyped-call]


def summed(group: Group, tensors: Sequence[Tensor]) -> list[Tensor]:
    """The sums of local `tensors` over the ranks."""
    return list(_Sum.apply(group, *tensors)) if tensors else []  # type: ignore[no-untyped-call]


def gather(own: Share, rows: Tensor) -> Tensor:
    """All rows of all ranks, from this one's."""
    joint: Tensor = _Gather.apply(own, rows)  # type: ignore[no-untyped-call]
    return joint


class _Copy(Function):
    """Replicated to local."""

    @staticmethod
    def forward(ctx: Any, group: Group, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.group = group
        ctx.set_materialize_grads(False)
        return tuple(tensor.view_as(tensor) for tensor in tensors)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        present = [gradient for gradient in gradients if gradient is not None]
        sums = iter(summed(ctx.group, present))
        return None, *(None if gradient is None else next(sums) for gradient in gradients)


class _Sum(Function):
    """Local to replicated: the sums over the ranks."""

    @staticmethod
    def forward(ctx: Any, group: Group, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.group = group
        ctx.set_materialize_grads(False)
        sums = tuple(tensor.clone() for tensor in tensors)
        group.total_(sums)
        return sums

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        present = [gradient for gradient in gradients if gradient is not None]
        found = iter(copies(ctx.group, present))
        return None, *(None if gradient is None else next(found) for gradient in gradients)


class _Gather(Function):
    """Local rows to all rows of all ranks, replicated."""

    @staticmethod
    def forward(ctx: Any, own: Share, rows: Tensor) -> Tensor:
        ctx.own = own
        joint = rows.new_zeros(own.count, *rows.shape[1:])
        joint[own.rows] = rows
        own.group.total_([joint])
        return joint

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor]:
        return None, _Rows.apply(ctx.own, gradients[0])  # type: ignore[no-untyped-call]


class _Rows(Function):
    """Replicated to the local rows."""

    @staticmethod
    def forward(ctx: Any, own: Share, joint: Tensor) -> Tensor:
        ctx.own = own
        return joint[own.rows].clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor]:
        return None, gather(ctx.own, gradients[0])
