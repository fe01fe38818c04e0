"""Learners that learn from episodes: a meta-gradient in whichever formulation is fastest, then a step."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from automl.contracts import Episodes
from automl.learners.base import TaskSource
from automl.learners.formulations import Formulation, select
from automl.learners.layouts import Tensors
from automl.learners.parts import PartLearner
from automl.ranks.sharing import rows_of, total


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
        """Mean loss over the tasks and its gradient in all `parameters`; changes nothing.

        The ranks of a trial divide the tasks.
        """
        rows = rows_of(len(episodes), 1)
        own = episodes if rows is None else select(episodes, rows)
        if formulation is None:
            formulation = self.choose("meta", own, self._time)
        sums = self._sums(own, formulation)
        loss, *gradients = [value / len(episodes) for value in (sums if rows is None else total(sums))]
        return loss, dict(zip(self.parameters, gradients, strict=True))

    def _sums(self, episodes: Episodes, formulation: Formulation) -> list[Tensor]:
        """The loss and its gradients in the order of `parameters`, summed over tasks."""
        loss, summed = torch.zeros((), device=self.device), None
        for part in formulation.parts(episodes):
            part_loss, gradients = self.part_gradient(part)
            loss = loss + part_loss
            summed = gradients if summed is None else [a + b for a, b in zip(summed, gradients, strict=True)]
        return [loss, *(summed or ())]

    def _time(self, formulation: Formulation, part: Episodes) -> float:
        return self._sums(part, formulation)[0].item()

    def part_gradient(self, part: Episodes) -> tuple[Tensor, list[Tensor]]:
        """Summed loss of a part, detached, and its gradients in the order of `parameters`."""
        loss = self.task_losses(part).sum()
        wanted = list(self.parameters.values())
        return loss.detach(), list(torch.autograd.grad(loss, wanted, materialize_grads=True))
