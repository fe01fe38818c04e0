"""A control: one network for the queries of all tasks, that never sees a support set.

For regression this is joint training: it learns the mean of all functions. For classification, each task has
its own random labels, so a score above chance means that the sampling leaks.
Batch norms, as everywhere, take their statistics from the support set unless `transductive`.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from automl.contracts import Episodes
from automl.learners.base import Predictor
from automl.learners.episodic import EpisodicLearner


class NoAdaptation(EpisodicLearner):
    """A plain network on the queries of all tasks."""

    baseline: ClassVar[bool] = True

    def task_losses(self, part: Episodes) -> Tensor:
        """The query loss of each task."""
        return self.loss(self.outputs(self.parameters, part.query_x, part.support_x), part.query_y)

    @torch.no_grad()
    def part_outputs(self, part: Episodes, steps: int | None) -> Tensor:
        """Logits (…, Q, ways) or values (…, Q) of the queries; nothing goes by `steps`."""
        return self.outputs(self.parameters, part.query_x, part.support_x)

    def adapt(self, support_x: Tensor, support_y: Tensor, *, steps: int | None = None) -> Predictor:
        """The network as it is."""

        @torch.no_grad()
        def predict(x: Tensor) -> Tensor:
            return self.outputs(self.parameters, x, support_x)

        return predict


PLUGIN = NoAdaptation
