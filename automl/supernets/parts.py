"""What weight-sharing methods work with: the supernet of a space, mixtures, options, the result of a step."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeAlias

from pydantic import Field
from torch import Tensor, nn

from automl import contracts
from automl.contracts import Config
from automl.space import Space

Batch: TypeAlias = tuple[Tensor, Tensor]  # images (n, C, H, W), labels (n,)
Tensors: TypeAlias = dict[str, Tensor]


class Supernet(Protocol):
    """What the supernet of a space offers: a torch module that holds weights only, and its description.

    `edges` and `operations` name the rows and columns of every matrix of strengths; `nodes` lists the rows
    whose values are summed in the same node of the same cell; skip connections are counted in `skip_rows`.
    """

    edges: list[str]
    operations: list[str]
    nodes: list[list[int]]
    skip_rows: list[int]
    training: bool

    def __call__(self, x: Tensor, strengths: Tensor, active: Tensor | None = None) -> Tensor:
        """Logits (n, classes) of images (n, C, H, W).

        What is not `active` (edges, operations; bool, on the CPU; None for all) is not computed, adds
        nothing, and gets no gradient.
        """

    def allowed(self, space: Space) -> Tensor:
        """(edges, operations), bool, on the CPU: what the softmax of `space`, perhaps narrowed, mixes."""

    def derive(self, strengths: Tensor, space: Space) -> Config:
        """The valid configuration of `space` that stands for `strengths`; `none` only if nothing else is."""

    def path(self, config: Config) -> Tensor:
        """(edges, operations), bool, on the CPU: the operations that `config` consists of."""

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """The weights; this and what follows are those of a torch module."""

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """The batch-norm statistics."""

    def train(self, mode: bool = True) -> object:
        """Switch to train mode."""

    def eval(self) -> object:
        """Switch to evaluation mode."""

    def state_dict(self) -> dict[str, Any]:
        """All weights and buffers."""

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> object:
        """Take weights and buffers from a state dict."""


class Mixture(NamedTuple):
    """What one forward computes: strengths (edges, operations) and which of them are `active`."""

    strengths: Tensor
    active: Tensor | None = None


class Selection(Protocol):
    """What a method may use after training to choose a configuration. Its time is charged to the search."""

    space: Space
    rng: random.Random

    def left(self) -> float:
        """Wall seconds left for choosing (`inf` without a limit)."""

    def accuracy(self, mixture: Mixture) -> float:
        """Accuracy on the search's validation half; batch-norm statistics come from its training half."""

    def train(self, steps: int) -> None:
        """Take `steps` more steps of the method."""


class SearchOptions(contracts.Options):
    """How weights (SGD, cosine schedule) and architecture parameters (Adam) are trained (Liu et al. 2019).

    `learning_rate`, `minimum_rate`, `momentum`, `weight_decay`: of the weights; `clip`: largest norm of their
    gradient; `alpha_rate`, `alpha_decay`: learning rate and weight decay of the architecture parameters.
    """

    learning_rate: float = Field(0.025, gt=0)
    minimum_rate: float = Field(0.001, ge=0)
    momentum: float = Field(0.9, ge=0, lt=1)
    weight_decay: float = Field(3e-4, ge=0)
    clip: float = Field(5.0, gt=0)
    alpha_rate: float = Field(3e-4, gt=0)
    alpha_decay: float = Field(1e-3, ge=0)

    @property
    def partial_channels(self) -> int:
        """K of a supernet that passes one channel in K through its operations; 1: all of them."""
        return 1


@dataclass(frozen=True)
class Step:
    """One step: losses and accuracy of the supernet on its two batches, each a scalar tensor."""

    train_loss: Tensor
    validation_loss: Tensor
    validation_accuracy: Tensor
