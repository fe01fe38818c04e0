"""A learned optimiser: an LSTM is the update rule, the same for every weight, each with its own state.

Andrychowicz et al. 2016, https://arxiv.org/abs/1606.04474 ("Learning to learn by gradient descent by gradient
descent"). For every coordinate of the weights θ by itself,

    θ_t+1 = θ_t + scale · g_t,    (g_t, state_t+1) = LSTM(preprocessed ∇ L_support(θ_t), state_t)

with two layers of `hidden` units, trained on Σ_t L_query(θ_t) through `unroll` steps at a time; the gradients
that go in count as constants. A gradient ∇ goes in (appendix A, p = 10) as

    (log |∇| / p, sgn ∇) when |∇| ≥ e^−p,    else (−1, e^p ∇).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar, TypeAlias

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from automl.contracts import Episodes
from automl.learners.base import LearnerOptions
from automl.learners.inner_loop import InnerLoopLearner, InnerLoopOptions
from automl.learners.layouts import Tensors
from automl.learners.lstm import State, initial_lstm, lstm_cell
from automl.learners.parts import batched

LAYERS = ("lstm.0", "lstm.1")
SMALLEST = 10.0  # p: gradients down to e^−p enter as logarithms
States: TypeAlias = list[State]


class LstmOptimizerOptions(InnerLoopOptions):
    """`inner_steps` of the learned rule for a task, `unroll` of them between cuts of the outer gradient.

    `hidden`: units of each LSTM layer; `scale`: of the rule's output. With `learn_start` the weights that the
    rule starts from are learned too, else they stay as they were drawn. `inner_rate` has no use here.
    """

    inner_steps: int = Field(20, ge=1)
    unroll: int = Field(20, ge=1)
    hidden: int = Field(20, ge=1)
    scale: float = Field(0.1, gt=0)
    learn_start: bool = True


class LstmOptimizer(InnerLoopLearner):
    """A learned update rule, run from a learned or a random start."""

    Options: ClassVar[type[LearnerOptions]] = LstmOptimizerOptions
    options: LstmOptimizerOptions
    cost: ClassVar[float] = 4.0

    def passes(self) -> float:
        """The graph between two cuts is kept."""
        return float(min(self.options.unroll, self.options.inner_steps))

    def initial(self) -> Tensors:
        """Backbone, head, `lstm.<layer>` and the output layer `rule`, which starts near no change."""
        hidden = self.options.hidden
        parameters = super().initial()
        for name, inputs in zip(LAYERS, (2, hidden), strict=True):
            parameters |= initial_lstm(name, inputs, hidden, self.generator)
        weight = torch.randn(1, hidden, generator=self.generator) / math.sqrt(hidden)
        return parameters | {"rule.weight": weight, "rule.bias": torch.zeros(1)}

    def rule(self, gradient: Tensor, states: States) -> tuple[Tensor, States]:
        """What is added to weights (…, n) with this gradient (…, n), and the next states."""
        x, after = preprocessed(gradient), []
        for name, state in zip(LAYERS, states, strict=True):
            state = lstm_cell(self.parameters, name, x, state)
            x = state[0]
            after.append(state)
        change = functional.linear(x, self.parameters["rule.weight"], self.parameters["rule.bias"])
        return self.options.scale * change.squeeze(-1), after

    def fresh(self, weights: Tensor) -> States:
        """States of zeros for weights (…, n)."""
        zeros = weights.new_zeros(*weights.shape, self.options.hidden)
        return [(zeros, zeros) for _ in LAYERS]

    def steps_of(self, start: Tensors, part: Episodes, steps: int) -> Iterator[Tensors]:
        """The weights after each step from `start`, differentiable in it and in the rule.

        Every `unroll` steps the graph of all that happened before is cut, but for `start` itself.
        """
        names, shapes = self.adapted(), [start[name].shape for name in self.adapted()]
        ahead = 1 if batched(part) else 0
        begin = torch.cat([start[name].flatten(ahead) for name in names], -1)
        sizes = [shape[ahead:].numel() for shape in shapes]
        moved, states = torch.zeros_like(begin), self.fresh(begin)
        for step in range(steps):
            if step and step % self.options.unroll == 0:
                moved, states = moved.detach(), [(h.detach(), c.detach()) for h, c in states]
            weights = _split(begin + moved, sizes, shapes, names)
            by_name = self.support_gradients(weights, part.support_x, part.support_y)
            gradient = torch.cat([by_name[name].flatten(ahead) for name in names], -1)
            change, states = self.rule(gradient, states)
            moved = moved + change
            yield start | _split(begin + moved, sizes, shapes, names)

    @torch.no_grad()
    def inner_loop(self, part: Episodes, steps: int) -> Iterator[Tensors]:
        """The detached weights after each step."""
        yield from self.steps_of(self.start(part), part, steps)

    def part_gradient(self, part: Episodes) -> tuple[Tensor, list[Tensor]]:
        """Mean over the steps of the query losses, summed over tasks, and its truncated gradients."""
        wanted, steps = list(self.parameters.values()), self.options.inner_steps
        total, gradients = torch.zeros((), device=self.device), [torch.zeros_like(value) for value in wanted]
        losses: list[Tensor] = []
        for step, params in enumerate(self.steps_of(self.start(part), part, steps), 1):
            outputs = self.run(params, part.query_x, part.support_x)
            losses.append(self.loss(outputs, part.query_y).sum() / steps)
            if step % self.options.unroll == 0 or step == steps:
                loss = torch.stack(losses).sum()
                added = torch.autograd.grad(loss, wanted, materialize_grads=True, retain_graph=step < steps)
                gradients = [a + b for a, b in zip(gradients, added, strict=True)]
                total, losses = total + loss.detach(), []
        if not self.options.learn_start:
            network = set(self.network_names())
            pairs = zip(self.parameters, gradients, strict=True)
            gradients = [torch.zeros_like(g) if name in network else g for name, g in pairs]
        return total, gradients


def preprocessed(gradient: Tensor) -> Tensor:
    """Gradients (…) as the rule sees them, (…, 2)."""
    small = math.exp(-SMALLEST)
    large = gradient.abs() >= small
    logarithm = gradient.abs().clamp_min(small).log() / SMALLEST
    sign = torch.where(large, gradient.sign(), gradient / small)
    return torch.stack([torch.where(large, logarithm, -torch.ones_like(gradient)), sign], -1)


def _split(flat: Tensor, sizes: list[int], shapes: list[torch.Size], names: list[str]) -> Tensors:
    parts = torch.split(flat, sizes, -1)
    return {name: part.reshape(shape) for name, part, shape in zip(names, parts, shapes, strict=True)}


PLUGIN = LstmOptimizer
