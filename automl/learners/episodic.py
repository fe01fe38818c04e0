"""Learners that learn from episodes: a meta-gradient in whichever formulation is fastest, then a step."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor

from automl.contracts import Episodes
from automl.learners.base import Learner
from automl.learners.formulations import Formulation, fastest, fit
from automl.learners.layouts import Tensors


class EpisodicLearner(Learner):
    """A learner whose outer loss is the sum of its tasks' losses (or that overrides `part_gradient`).

    A part of a meta-batch is either some tasks, every tensor with a leading task dimension, or a single task
    without it; `batched` tells them apart. What a learner computes must be right for both.
    """

    cost: ClassVar[float] = 1.5  # memory of a pass with its gradient, over what the pass keeps

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self.chosen: dict[str, int] = {}

    @abstractmethod
    def task_losses(self, part: Episodes) -> Tensor:
        """The outer loss of each task, (T,) or a scalar, differentiable in `parameters`."""

    @abstractmethod
    def part_outputs(self, part: Episodes, steps: int | None) -> Tensor:
        """Logits (…, Q, ways) or values (…, Q) of the queries after adaptation, detached."""

    def passes(self) -> float:
        """How often the support set goes through the network before the outer gradient is taken."""
        return 1.0

    def prepare(self, episodes: Episodes) -> Episodes:
        """The meta-batch as the outer gradient uses it; everything random is drawn here."""
        return episodes

    def meta_step(self, episodes: Episodes) -> Tensor:
        """One update from a meta-batch. Gives the mean query loss before it, a detached scalar."""
        loss, gradients = self.meta_gradient(self.prepare(episodes))
        self.outer_step(gradients)
        return loss

    def meta_gradient(
        self, episodes: Episodes, formulation: Formulation | None = None
    ) -> tuple[Tensor, Tensors]:
        """Mean loss over the tasks and its gradient in all `parameters`; changes nothing."""
        if formulation is None:
            formulation = self.choose("meta", episodes)
        loss, total = torch.zeros((), device=self.device), None
        for part in formulation.parts(episodes):
            part_loss, gradients = self.part_gradient(part)
            loss = loss + part_loss
            total = gradients if total is None else [a + b for a, b in zip(total, gradients, strict=True)]
        scaled = (value / len(episodes) for value in total or ())
        return loss / len(episodes), dict(zip(self.parameters, scaled, strict=True))

    def part_gradient(self, part: Episodes) -> tuple[Tensor, list[Tensor]]:
        """Summed loss of a part, detached, and its gradients in the order of `parameters`."""
        loss = self.task_losses(part).sum()
        wanted = list(self.parameters.values())
        return loss.detach(), list(torch.autograd.grad(loss, wanted, materialize_grads=True))

    def predict(self, episodes: Episodes, *, steps: int | None = None) -> Tensor:
        """Logits (T, Q, ways) or values (T, Q) of all queries, each task adapted to its support set."""
        formulation = self.choose("predict", episodes, steps)
        return self._predict(formulation, episodes, steps)

    def _predict(self, formulation: Formulation, episodes: Episodes, steps: int | None) -> Tensor:
        outputs = [self.part_outputs(part, steps) for part in formulation.parts(episodes)]
        return torch.cat(outputs) if formulation.tasks else torch.stack(outputs)

    def choose(self, purpose: str, episodes: Episodes, steps: int | None = None) -> Formulation:
        """The formulation that the options name or that is fastest here; `formulation` tells which."""
        most = self.options.tasks_at_once or self._fit(episodes, steps)
        most = min(most, len(episodes))
        if self.options.formulation == "loop":
            formulation = Formulation(0)
        elif self.options.formulation == "batched":
            formulation = Formulation(most)
        else:
            formulation = self._measured(purpose, episodes, steps, most)
        self.formulation = str(formulation)
        return formulation

    def _measured(self, purpose: str, episodes: Episodes, steps: int | None, most: int) -> Formulation:
        key = self._key(purpose, episodes, steps, most)
        if key not in self.chosen:

            def run(formulation: Formulation, part: Episodes) -> object:
                if purpose == "meta":
                    return self.meta_gradient(part, formulation)[0].item()
                return self._predict(formulation, part, steps).sum().item()

            self.chosen[key] = fastest(key, episodes, most, run).tasks
        return Formulation(self.chosen[key])

    def _key(self, purpose: str, episodes: Episodes, steps: int | None, most: int) -> str:
        """All that the time of a call depends on; float options are left out."""
        sample = next(iter(self.parameters.values()))
        options = [value for value in self.options.model_dump().values() if not isinstance(value, float)]
        shapes = [tuple(episodes.support_x.shape), tuple(episodes.query_x.shape)]
        where = [sample.device, sample.dtype, torch.get_num_threads(), self.backbone, most, purpose, steps]
        return " ".join(map(str, [type(self).__name__, *where, *shapes, *options]))

    def _fit(self, episodes: Episodes, steps: int | None) -> int:
        sample = next(iter(self.parameters.values()))
        support = episodes.support_y.shape[1] * (self.passes() if steps is None else steps)
        kept = (support + episodes.query_y.shape[1]) * self.backbone.values * self.cost
        kept += sum(value.numel() for value in self.parameters.values()) * 2 * (self.passes() + 1)
        return fit(kept * sample.element_size(), sample.device)

    def state_dict(self) -> dict[str, Any]:
        """Everything that a bit-for-bit continuation needs, the formulations too: they differ in rounding."""
        return {**super().state_dict(), "chosen": dict(self.chosen)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` gave."""
        super().load_state_dict(state)
        self.chosen = dict(state["chosen"])


def batched(part: Episodes) -> bool:
    """Whether the tensors of a part have a task dimension."""
    return part.support_y.dim() == 2
