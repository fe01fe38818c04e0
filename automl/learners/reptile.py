"""Reptile: trains on a task by plain minibatch descent, then moves the start towards where that ended.

Nichol, Achiam & Schulman 2018, https://arxiv.org/abs/1803.02999. With θ' after `inner_steps` of Adam (β1 = 0,
state reset for every task) the outer step over T tasks is

    θ ← θ + ε · (1/T) Σ (θ' − θ)

No second derivatives, no query set: with `use_query` the query examples are trained on too, as the paper does
with its extra training shots. Adaptation to a new task takes the same optimiser, on its whole support set.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from automl.contracts import Episodes
from automl.learners.base import LearnerOptions
from automl.learners.inner_loop import InnerLoopLearner, InnerLoopOptions
from automl.learners.layouts import Tensors
from automl.learners.parts import batched

ADAM_EPSILON = 1e-8


class ReptileOptions(InnerLoopOptions):
    """`outer_rate` is ε (`decay` lets it fall). `inner_batch`: examples per inner step (0: all of them).

    `beta2` is Adam's, for the inner steps.
    """

    outer_rate: float = Field(1.0, gt=0)
    inner_rate: float = Field(1e-3, gt=0)
    inner_steps: int = Field(8, ge=1)
    inner_batch: int = Field(10, ge=0)
    beta2: float = Field(0.999, gt=0, lt=1)
    use_query: bool = True


class Reptile(InnerLoopLearner):
    """First-order meta-learning by interpolation."""

    Options: ClassVar[type[LearnerOptions]] = ReptileOptions
    options: ReptileOptions

    def make_optimiser(self) -> torch.optim.Optimizer:
        """Plain descent on θ − θ' is the interpolation."""
        return torch.optim.SGD(self.parameters.values(), lr=self.options.outer_rate)

    def prepare(self, episodes: Episodes) -> Episodes:
        """Each task's training examples in an order of its own, as the support set."""
        x, y = episodes.support_x, episodes.support_y
        if self.options.use_query:
            x, y = torch.cat([x, episodes.query_x], 1), torch.cat([y, episodes.query_y], 1)
        order = torch.rand(y.shape, generator=self.generator).argsort(1).to(y.device)
        rows = torch.arange(len(y), device=y.device)[:, None]
        return Episodes(x[rows, order], y[rows, order], episodes.query_x, episodes.query_y, episodes.ways)

    @torch.no_grad()
    def inner_loop(self, part: Episodes, steps: int, batch: int = 0) -> Iterator[Tensors]:
        """The detached parameters after each step of Adam, `batch` support examples a step (0: all)."""
        params = {name: value.detach() for name, value in self.start(part).items()}
        squares = {name: torch.zeros_like(value) for name, value in params.items()}
        beta2 = self.options.beta2
        for step in range(1, steps + 1):
            x, y = _batch(part, step - 1, batch)
            for name, gradient in self.support_gradients(params, x, y).items():
                squares[name] = beta2 * squares[name] + (1 - beta2) * gradient.square()
                scale = (squares[name] / (1 - beta2**step)).sqrt_().add_(ADAM_EPSILON)
                params[name] = params[name] - self.options.inner_rate * gradient / scale
            yield dict(params)

    def part_gradient(self, part: Episodes) -> tuple[Tensor, list[Tensor]]:
        """Summed query loss of a part, and the sums of θ − θ'."""
        for after in self.inner_loop(part, self.options.inner_steps, self.options.inner_batch):
            params = after
        with torch.no_grad():
            outputs = self.run(params, part.query_x, part.support_x)
            moves = [value.detach() - params[name] for name, value in self.parameters.items()]
            if batched(part):
                moves = [move.sum(0) for move in moves]
            return self.loss(outputs, part.query_y).sum(), moves


def _batch(part: Episodes, step: int, size: int) -> tuple[Tensor, Tensor]:
    """Examples `size` at a time in their order, from the first again when all have been used."""
    examples = part.support_y.shape[-1]
    if not 0 < size < examples:
        return part.support_x, part.support_y
    index = (torch.arange(size) + step * size).remainder_(examples).to(part.support_y.device)
    if batched(part):
        return part.support_x[:, index], part.support_y[:, index]
    return part.support_x[index], part.support_y[index]


PLUGIN = Reptile
