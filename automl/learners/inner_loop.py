"""Learners that adapt by gradient steps on the support set, and learn what those steps start from."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from automl.contracts import Episodes
from automl.learners.base import LearnerOptions, Predictor
from automl.learners.episodic import EpisodicLearner
from automl.learners.layouts import Tensors
from automl.learners.parts import PartLearner, batched


class InnerLoopOptions(LearnerOptions):
    """`inner_steps` of descent on the support set at `inner_rate`."""

    inner_rate: float = Field(0.01, gt=0)
    inner_steps: int = Field(1, ge=1)


class GradientAdaptation(PartLearner):
    """Adaptation by θ_k+1 = θ_k − α ∇ L_support(θ_k), a step at a time.

    A learner says what is adapted (`adapted`), how a gradient moves it (`moved`), and, if its
    network runs in two halves, what comes before the adapted half (`encode`, `run`).
    """

    Options: ClassVar[type[LearnerOptions]] = InnerLoopOptions
    example_options: ClassVar[Mapping[str, Any]] = {"inner_rate": 1e-3, "inner_steps": 2}
    adaptation_steps: ClassVar[bool] = True

    options: InnerLoopOptions

    def network(self) -> Tensors:
        """The parameters of backbone and head."""
        return {name: self.parameters[name] for name in self.network_names()}

    def network_names(self) -> list[str]:
        """Names of the parameters of backbone and head."""
        return [*self.backbone.names, "head.weight", "head.bias"]

    def adapted(self) -> list[str]:
        """Names of the parameters that the inner loop changes."""
        return self.network_names()

    def moved(self, step: int, name: str, value: Tensor, gradient: Tensor) -> Tensor:
        """The parameter `name`, now `value`, after inner step `step` (from 0)."""
        return torch.sub(value, gradient, alpha=self.options.inner_rate)

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

    @torch.no_grad()
    def inner_loop(self, part: Episodes, steps: int) -> Iterator[Tensors]:
        """The detached parameters after each step on an encoded part."""
        params = {name: value.detach() for name, value in self.start(part).items()}
        for step in range(steps):
            gradients = self.support_gradients(params, part.support_x, part.support_y)
            after = {name: self.moved(step, name, params[name], g) for name, g in gradients.items()}
            params = params | after
            yield params

    def support_gradients(self, params: Tensors, x: Tensor, y: Tensor) -> Tensors:
        """∇ L(params) on examples, for what is adapted; nothing is kept."""
        leaves = {name: params[name].detach().requires_grad_() for name in self.adapted()}
        with torch.enable_grad():
            loss = self.loss(self.run(params | leaves, x), y).sum()
        return dict(zip(leaves, torch.autograd.grad(loss, list(leaves.values())), strict=True))

    def solve(self, part: Episodes, steps: int | None = None) -> Tensors:
        """Parameters adapted to an encoded part, detached."""
        params = {name: value.detach() for name, value in self.start(part).items()}
        for after in self.inner_loop(part, self.options.inner_steps if steps is None else steps):
            params = after
        return params

    @torch.no_grad()
    def part_outputs(self, part: Episodes, steps: int | None) -> Tensor:
        """Logits (…, Q, ways) or values (…, Q) of the queries after adaptation, detached."""
        part = self.encode(part)
        return self.run(self.solve(part, steps), part.query_x, part.support_x)

    @torch.no_grad()
    def adapt(self, support_x: Tensor, support_y: Tensor, *, steps: int | None = None) -> Predictor:
        """Adapt to one task from (S, *shape), (S,), by `steps`, else `inner_steps`; changes nothing."""
        part = Episodes(support_x, support_y, support_x, support_y, self.ways)
        params = self.solve(self.encode(part), steps)

        @torch.no_grad()
        def predict(x: Tensor) -> Tensor:
            query = self.encode(replace(part, query_x=x))
            return self.run(params, query.query_x, query.support_x)

        return predict


class InnerLoopLearner(GradientAdaptation, EpisodicLearner):
    """Learns from episodes what those steps start from."""

    def task_losses(self, part: Episodes) -> Tensor:
        """L_query of each task at its adapted parameters, detached."""
        with torch.no_grad():
            return self.loss(self.part_outputs(part, None), part.query_y)


class UnrolledOptions(InnerLoopOptions):
    """`first_order`: the Jacobian of the inner steps is taken as the identity.

    `multi_step`: meta-iterations in which the query loss after every inner step counts, first all alike, in
    the end the last alone (Antoniou et al. 2019, https://arxiv.org/abs/1810.09502); 0: always the last alone.
    """

    first_order: bool = False
    multi_step: int = Field(0, ge=0)


class UnrolledLearner(InnerLoopLearner):
    """The outer loss is L_query(θ_K), and its gradient goes through all inner steps."""

    Options: ClassVar[type[LearnerOptions]] = UnrolledOptions
    options: UnrolledOptions

    def passes(self) -> float:
        """Every inner step keeps its pass, and again its gradient's when that is differentiated."""
        return self.options.inner_steps * (1.0 if self.options.first_order else 2.0)

    def unrolled(self, part: Episodes, steps: int) -> Iterator[Tensors]:
        """The parameters after each step on an encoded part, differentiable in `parameters`."""
        params, names = self.start(part), self.adapted()
        for step in range(steps):
            loss = self.loss(self.run(params, part.support_x), part.support_y).sum()
            now = [params[name] for name in names]
            gradients = torch.autograd.grad(loss, now, create_graph=not self.options.first_order)
            pairs = zip(names, now, gradients, strict=True)
            params = params | {name: self.moved(step, name, value, g) for name, value, g in pairs}
            yield params

    def task_losses(self, part: Episodes) -> Tensor:
        """L_query of each task at its adapted parameters, or its weighted mean over the inner steps."""
        part = self.encode(part)
        weights = self.step_weights()
        losses = []
        for weight, params in zip(weights, self.unrolled(part, len(weights)), strict=True):
            if weight:
                loss = self.loss(self.run(params, part.query_x, part.support_x), part.query_y)
                losses.append(loss if weight == 1 else weight * loss)
        return functools.reduce(torch.add, losses)

    def step_weights(self) -> list[float]:
        """What the query loss after each inner step counts at this iteration; they sum to 1."""
        steps, anneal = self.options.inner_steps, self.options.multi_step
        share = max(0.0, 1 - self.iteration / anneal) / steps if anneal else 0.0
        return [share] * (steps - 1) + [1 - share * (steps - 1)]
