"""MAML: an initialisation from which a few gradient steps on a new task's examples go far.

Finn, Abbeel & Levine 2017, https://arxiv.org/abs/1703.03400. For each task, inner_steps times

    θ' = θ' − α ∇ L_support(θ'),    starting at θ' = θ

and the outer loop descends on the sum of L_query(θ') in θ, through all inner steps (second order). With
`learned_rates`, α is a number for each layer and step that the outer loop learns too (Antoniou et al. 2019,
https://arxiv.org/abs/1810.09502); steps beyond those trained use the rates of the last.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from automl.learners.base import LearnerOptions
from automl.learners.inner_loop import UnrolledLearner, UnrolledOptions
from automl.learners.layouts import Tensors


class MamlOptions(UnrolledOptions):
    """`learned_rates`: a rate for each layer and step starts at `inner_rate` and is learned."""

    learned_rates: bool = False


class Maml(UnrolledLearner):
    """Model-agnostic meta-learning, first and second order."""

    Options: ClassVar[type[LearnerOptions]] = MamlOptions
    options: MamlOptions

    def initial(self) -> Tensors:
        """Backbone and head, and `rates.<layer>` (inner_steps,) when they are learned."""
        network = super().initial()
        rates: Tensors = {}
        if self.options.learned_rates:
            layers = dict.fromkeys(_layer(name) for name in self.adapted())
            rates = {
                name: torch.full((self.options.inner_steps,), self.options.inner_rate) for name in layers
            }
        return network | rates

    def moved(self, step: int, name: str, value: Tensor, gradient: Tensor) -> Tensor:
        """`value` less α times the gradient."""
        if not self.options.learned_rates:
            return super().moved(step, name, value, gradient)
        rates = self.parameters[_layer(name)]
        return torch.addcmul(value, rates[min(step, len(rates) - 1)], gradient, value=-1)


def _layer(name: str) -> str:
    return f"rates.{name.rpartition('.')[0]}"


PLUGIN = Maml
