"""How a learner adapts to the tasks of a batch: in parts, by whichever formulation is fastest."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor

from automl.contracts import Episodes
from automl.learners.backbones import Backbone
from automl.learners.base import Learner, LearnerOptions, LearnerState
from automl.learners.formulations import Formulation, fastest, fit


class PartLearner(Learner):
    """A learner that runs a batch of tasks in parts.

    A part is either some tasks, all tensors with a leading task dimension, or a single task without it;
    `batched` tells which. What a learner computes must be right for both.
    """

    cost: ClassVar[float] = 1.5  # memory of a pass with its gradient, over what the pass keeps

    def __init__(self, options: LearnerOptions, backbone: Backbone, *, ways: int, seed: int) -> None:
        super().__init__(options, backbone, ways=ways, seed=seed)
        self.chosen: dict[str, int] = {}

    @abstractmethod
    def part_outputs(self, part: Episodes, steps: int | None) -> Tensor:
        """Logits (…, Q, ways) or values (…, Q) of the queries after adaptation, detached."""

    def passes(self) -> float:
        """How often the support set goes through the network before the outer gradient is taken."""
        return 1.0

    def predict(self, episodes: Episodes, *, steps: int | None = None) -> Tensor:
        """Logits (T, Q, ways) or values (T, Q) of all queries, each task adapted to its support set."""

        def run(formulation: Formulation, part: Episodes) -> float:
            return self._predict(formulation, part, steps).sum().item()

        return self._predict(self.choose("predict", episodes, run, steps), episodes, steps)

    def _predict(self, formulation: Formulation, episodes: Episodes, steps: int | None) -> Tensor:
        outputs = [self.part_outputs(part, steps) for part in formulation.parts(episodes)]
        return torch.cat(outputs) if formulation.tasks else torch.stack(outputs)

    def choose(
        self,
        purpose: str,
        episodes: Episodes,
        run: Callable[[Formulation, Episodes], object],
        steps: int | None = None,
    ) -> Formulation:
        """The formulation that the options name, or the one in which `run` is fastest here.

        It is kept for each `purpose` and size of the tasks, and named in `formulation`.
        """
        most = self.options.tasks_at_once or self._fit(episodes, steps)
        most = min(most, len(episodes))
        if self.options.formulation == "loop":
            formulation = Formulation(0)
        elif self.options.formulation == "batched":
            formulation = Formulation(most)
        else:
            key = self._key(purpose, episodes, steps, most)
            if key not in self.chosen:
                self.chosen[key] = fastest(key, episodes, most, run).tasks
            formulation = Formulation(self.chosen[key])
        self.formulation = str(formulation)
        return formulation

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

    def state_dict(self) -> LearnerState:
        """Everything that a bit-for-bit continuation needs, the formulations too: they differ in rounding."""
        state = super().state_dict()
        state["chosen"] = dict(self.chosen)
        return state

    def load_state_dict(self, state: LearnerState) -> None:
        """Continue from a state of `state_dict`."""
        super().load_state_dict(state)
        self.chosen = dict(state["chosen"])


def batched(part: Episodes) -> bool:
    """Whether the tensors of a part have a task dimension."""
    return part.support_y.dim() == 2
