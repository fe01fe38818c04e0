"""Learners that learn from episodes: a meta-gradient in whichever formulation is fastest, then a step."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from automl.contracts import Episodes
from automl.learners.base import TaskSource
from automl.learners.formulations import Formulation
from automl.learners.layouts import Tensors
from automl.learners.parts import PartLearner


class EpisodicLearner(PartLearner):
    """A learner whose outer loss is the sum of its tasks' losses (or that overrides `part_gradient`)."""

    @abstractmethod
    def task_losses(self, part: Episodes) -> Tensor:
        """The outer loss of each task, (T,) or a scalar, differentiable in `parameters`."""

    def prepare(self, episodes: Episodes) -> Episodes:
        """The meta-batch as the outer gradient uses it; everything random is drawn here."""
        return episodes

    def learn(self, source: TaskSource) -> Tensor:
        """One update from the next meta-batch. Returns the mean query loss before it."""
        return self.meta_step(source.episodes())

    def meta_step(self, episodes: Episodes) -> Tensor:
        """One update from a meta-batch. Returns the mean query loss before it, a detached scalar."""
        loss, gradients = self.meta_gradient(self.prepare(episodes))
        self.update_formulation = self.formulation
        self.outer_step(gradients)
        return loss

    def meta_gradient(
        self, episodes: Episodes, formulation: Formulation | None = None
    ) -> tuple[Tensor, Tensors]:
        """Mean loss over the tasks and its gradient in all `parameters`; changes nothing."""
        if formulation is None:
            formulation = self.choose("meta", episodes, self._time)
        loss, total = torch.zeros((), device=self.device), None
        for part in formulation.parts(episodes):
            part_loss, gradients = self.part_gradient(part)
            loss = loss + part_loss
            total = gradients if total is None else [a + b for a, b in zip(total, gradients, strict=True)]
        scaled = (value / len(episodes) for value in total or ())
        return loss / len(episodes), dict(zip(self.parameters, scaled, strict=True))

    def _time(self, formulation: Formulation, part: Episodes) -> float:
        return self.meta_gradient(part, formulation)[0].item()

    def part_gradient(self, part: Episodes) -> tuple[Tensor, list[Tensor]]:
        """Summed loss of a part, detached, and its gradients in the order of `parameters`."""
        loss = self.task_losses(part).sum()
        wanted = list(self.parameters.values())
        return loss.detach(), list(torch.autograd.grad(loss, wanted, materialize_grads=True))
