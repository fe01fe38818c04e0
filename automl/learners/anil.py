"""ANIL: MAML that adapts the head alone; the features below it are learned by the outer loop only.

Raghu et al. 2020, https://arxiv.org/abs/1909.09157 ("almost no inner loop"). The features of support and
query sets are computed once, for all tasks together: their weights are the same.
"""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from automl.contracts import Episodes
from automl.learners.layouts import Tensors
from automl.learners.maml import Maml


class Anil(Maml):
    """Almost no inner loop."""

    def passes(self) -> float:
        """The inner steps see features, which cost next to nothing."""
        return 1.0

    def adapted(self) -> list[str]:
        """The head."""
        return ["head.weight", "head.bias"]

    def encode(self, part: Episodes) -> Episodes:
        """Features in place of inputs."""
        support, query = part.support_x, part.query_x
        params = self.network()
        return replace(
            part,
            support_x=self.backbone.embed(params, support),
            query_x=self.backbone.embed(params, query, support),
        )

    def run(self, params: Tensors, x: Tensor, support_x: Tensor | None = None) -> Tensor:
        """Outputs of the head for features."""
        return self.head(params, x)


PLUGIN = Anil
