"""iMAML: MAML whose gradient depends on where the inner loop ends, not on the way there.

Rajeswaran et al. 2019, https://arxiv.org/abs/1909.04630. The inner loop descends on the proximal loss

    φ* = argmin_φ  L_support(φ) + λ/2 ‖φ − θ‖²

so the outer gradient of a task is g = (I + ∇² L_support(φ*) / λ)⁻¹ ∇ L_query(φ*), which conjugate gradients
solve from Hessian-vector products alone. No inner step is kept in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from automl.contracts import Episodes
from automl.learners.base import LearnerOptions
from automl.learners.inner_loop import InnerLoopLearner, InnerLoopOptions
from automl.learners.layouts import Tensors
from automl.learners.parts import batched


class ImamlOptions(InnerLoopOptions):
    """`strength`: λ of the proximal term; `conjugate_steps`: iterations of conjugate gradients."""

    inner_steps: int = Field(16, ge=1)
    strength: float = Field(2.0, gt=0)
    conjugate_steps: int = Field(5, ge=1)


class Imaml(InnerLoopLearner):
    """Meta-learning with implicit gradients."""

    Options: ClassVar[type[LearnerOptions]] = ImamlOptions
    options: ImamlOptions

    def passes(self) -> float:
        """One pass and its gradient's, for the Hessian."""
        return 2.0

    @torch.no_grad()
    def inner_loop(self, part: Episodes, steps: int) -> Iterator[Tensors]:
        """The detached parameters after each step of gradient descent on the proximal loss."""
        start = {name: value.detach() for name, value in self.start(part).items()}
        params, rate, strength = start, self.options.inner_rate, self.options.strength
        for _ in range(steps):
            gradients = self.support_gradients(params, part.support_x, part.support_y)
            params = {
                name: value - rate * (gradients[name] + strength * (value - start[name]))
                for name, value in params.items()
            }
            yield params

    def part_gradient(self, part: Episodes) -> tuple[Tensor, list[Tensor]]:
        """Summed query loss of a part, detached, and the sums of the implicit gradients."""
        params = {name: value.requires_grad_() for name, value in self.solve(part, None).items()}
        leaves = list(params.values())
        query = self.loss(self.run(params, part.query_x, part.support_x), part.query_y).sum()
        right = _flat(torch.autograd.grad(query, leaves), part)
        support = self.loss(self.run(params, part.support_x), part.support_y).sum()
        slope = _flat(torch.autograd.grad(support, leaves, create_graph=True), part)

        def times(vector: Tensor) -> Tensor:
            product = torch.autograd.grad(slope, leaves, vector, retain_graph=True)
            return vector + _flat(product, part) / self.options.strength

        solution = conjugate_gradient(times, right, self.options.conjugate_steps)
        whole = solution.sum(0) if batched(part) else solution
        sizes = [value.numel() for value in self.parameters.values()]
        pieces = zip(torch.split(whole, sizes), self.parameters.values(), strict=True)
        return query.detach(), [piece.view_as(value) for piece, value in pieces]


def _flat(values: tuple[Tensor, ...], part: Episodes) -> Tensor:
    """One vector (P,), or one for each task (T, P)."""
    return torch.cat([value.flatten(1) if batched(part) else value.flatten() for value in values], -1)


def conjugate_gradient(times: Callable[[Tensor], Tensor], right: Tensor, steps: int) -> Tensor:
    """The x with A x = `right` for symmetric A, `times(v)` = A v; (…, P), each row a system of its own.

    Hestenes & Stiefel 1952. A row that is solved, or finds no positive curvature, stays as it is.
    """
    x = torch.zeros_like(right)
    residual = direction = right
    square = (residual * residual).sum(-1, keepdim=True)
    for _ in range(steps):
        product = times(direction)
        curvature = (direction * product).sum(-1, keepdim=True)
        length = torch.where(curvature > 0, square / curvature, 0.0)
        x = x + length * direction
        residual = residual - length * product
        before, square = square, (residual * residual).sum(-1, keepdim=True)
        direction = residual + torch.where(before > 0, square / before, 0.0) * direction
    return x


PLUGIN = Imaml
