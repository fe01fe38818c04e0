"""Learners that adapt by gradient steps on the support set, and learn what those steps start from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from pydantic import Field
from torch import Tensor

from automl.contracts import Episodes
from automl.learners.base import LearnerOptions, Predictor
from automl.learners.episodic import EpisodicLearner, batched
from automl.learners.layouts import Tensors


class InnerLoopOptions(LearnerOptions):
    """`inner_steps` of gradient descent at `inner_rate`; the outer loop differentiates through them.

    `first_order`: the Jacobian of the inner steps is taken as the identity. `multi_step`: meta-iterations in
    which the query loss after every inner step counts, first all alike, in the end the last alone (Antoniou
    et al. 2019, https://arxiv.org/abs/1810.09502); 0: always the last alone.
    """

    inner_rate: float = Field(0.01, gt=0)
    inner_steps: int = Field(1, ge=1)
    first_order: bool = False
    multi_step: int = Field(0, ge=0)


class InnerLoopLearner(EpisodicLearner):
    """θ_k+1 = θ_k − update(∇ L_support(θ_k)), and the outer loss is L_query(θ_K).

    A learner says what is adapted (`adapted`), how a gradient becomes a change (`change`), and, if its
    network runs in two halves, what comes before the adapted half (`encode`, `run`).
    """

    Options = InnerLoopOptions
    options: InnerLoopOptions
    adaptation_steps = True

    def passes(self) -> float:
        """Every inner step keeps its pass, and again its gradient's when that is differentiated."""
        return self.options.inner_steps * (1.0 if self.options.first_order else 2.0)

    def network(self) -> Tensors:
        """The parameters of backbone and head."""
        return {name: self.parameters[name] for name in self.network_names()}

    def network_names(self) -> list[str]:
        """Names of the parameters of backbone and head."""
        return [*self.backbone.names, "head.weight", "head.bias"]

    def adapted(self) -> list[str]:
        """Names of the parameters that the inner loop changes."""
        return self.network_names()

    def change(self, step: int, name: str, gradient: Tensor) -> Tensor:
        """What inner step `step` takes off the parameter `name`."""
        return self.options.inner_rate * gradient

    def encode(self, part: Episodes) -> Episodes:
        """`part` as the inner loop sees it."""
        return part

    def run(self, params: Tensors, x: Tensor, support_x: Tensor | None = None) -> Tensor:
        """Outputs at `params` for inputs as `encode` gives them."""
        return self.outputs(params, x, support_x)

    def start(self, part: Episodes) -> Tensors:
        """Network parameters, those to adapt once for each task."""
        params = self.network()
        if batched(part):
            tasks = len(part)
            params |= {name: params[name].expand(tasks, *params[name].shape) for name in self.adapted()}
        return params

    def inner_loop(self, part: Episodes, steps: int, *, learn: bool) -> Iterator[Tensors]:
        """The parameters after each step on an encoded part.

        With `learn` they are differentiable in `parameters`; else nothing is kept from step to step.
        """
        names = self.adapted()
        params = self.start(part)
        second_order = learn and not self.options.first_order
        for step in range(steps):
            if not learn:
                params |= {name: params[name].detach().requires_grad_() for name in names}
            with torch.enable_grad():
                loss = self.loss(self.run(params, part.support_x), part.support_y).sum()
            now = [params[name] for name in names]
            gradients = torch.autograd.grad(loss, now, create_graph=second_order)
            with torch.set_grad_enabled(learn):
                pairs = zip(names, now, gradients, strict=True)
                params = {**params, **{name: value - self.change(step, name, g) for name, value, g in pairs}}
            yield params

    def task_losses(self, part: Episodes) -> Tensor:
        """L_query of each task at its adapted parameters, or its weighted mean over the inner steps."""
        part = self.encode(part)
        weights = self.step_weights()
        losses = torch.zeros((), device=self.device)
        for weight, params in zip(weights, self.inner_loop(part, len(weights), learn=True), strict=True):
            if weight:
                outputs = self.run(params, part.query_x, part.support_x)
                losses = losses + weight * self.loss(outputs, part.query_y)
        return losses

    def step_weights(self) -> list[float]:
        """What the query loss after each inner step counts at this iteration; they sum to 1."""
        steps, anneal = self.options.inner_steps, self.options.multi_step
        share = max(0.0, 1 - self.iteration / anneal) / steps if anneal else 0.0
        return [share] * (steps - 1) + [1 - share * (steps - 1)]

    def solve(self, part: Episodes, steps: int | None) -> Tensors:
        """Parameters adapted to an encoded part, detached."""
        steps = self.options.inner_steps if steps is None else steps
        params = self.start(part)
        for after in self.inner_loop(part, steps, learn=False):
            params = after
        return {name: value.detach() for name, value in params.items()}

    def part_outputs(self, part: Episodes, steps: int | None) -> Tensor:
        """Logits (…, Q, ways) or values (…, Q) of the queries after adaptation, detached."""
        with torch.no_grad():
            part = self.encode(part)
            return self.run(self.solve(part, steps), part.query_x, part.support_x)

    def adapt(self, support_x: Tensor, support_y: Tensor, *, steps: int | None = None) -> Predictor:
        """Adapt to one task from (S, *shape), (S,), by `steps`, else `inner_steps`."""
        part = Episodes(support_x, support_y, support_x, support_y, self.ways)
        with torch.no_grad():
            params = self.solve(self.encode(part), steps)

        @torch.no_grad()
        def predict(x: Tensor) -> Tensor:
            query = self.encode(replace(part, query_x=x))
            return self.run(params, query.query_x, query.support_x)

        return predict
