"""A supernet on vectors, small enough to check every gradient by differences, and its space."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from automl.contracts import Config
from automl.layers.operations import allowed, strongest
from automl.space import Choice, Space
from automl.supernets.base import Mixture, WeightSharing

Batch = tuple[Tensor, Tensor]
Batches = tuple[Batch, Batch]
Method = TypeVar("Method", bound=WeightSharing)
PAIRS = [(0, 1), (0, 2), (1, 2)]
EDGES = [f"edge_{source}_{target}" for source, target in PAIRS]
OPERATIONS = ["none", "tanh", "norm"]
SPACE = Space({edge: Choice(OPERATIONS) for edge in EDGES})


class Toy(nn.Module):
    """Three edges with three operations on vectors: none, tanh of a linear map, a batch-normed linear map."""

    def __init__(self) -> None:
        super().__init__()
        self.edges, self.operations = list(EDGES), list(OPERATIONS)
        self.nodes, self.skip_rows = [[0], [1, 2]], [0, 1, 2]
        self.maps = nn.ModuleList(nn.Linear(4, 4) for _ in range(2 * len(EDGES)))
        self.norms = nn.ModuleList(nn.BatchNorm1d(4) for _ in EDGES)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor, strengths: Tensor, active: Tensor | None = None) -> Tensor:
        active = torch.ones(strengths.shape, dtype=torch.bool) if active is None else active
        states = [x, 0.1 * x, 0.1 * x]
        for row, (source, target) in enumerate(PAIRS):
            tanh, norm = self.maps[2 * row : 2 * row + 2]
            state = states[source]
            if active[row, 1]:
                states[target] = states[target] + strengths[row, 1] * tanh(state).tanh()
            if active[row, 2]:
                states[target] = states[target] + strengths[row, 2] * self.norms[row](norm(state))
        logits: Tensor = self.head(states[-1])
        return logits

    def allowed(self, space: Space) -> Tensor:
        options: Tensor = allowed(self.edges, self.operations, space)
        return options

    def derive(self, strengths: Tensor, space: Space) -> Config:
        config: Config = strongest(self.edges, self.operations, strengths, space)
        return config

    def path(self, config: Config) -> Tensor:
        return torch.tensor([[config[edge] == name for name in self.operations] for edge in self.edges])


def batch(seed: int, dtype: torch.dtype = torch.float64) -> Batch:
    """Twelve random vectors of three classes."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(12, 4, generator=generator, dtype=torch.float64).to(dtype)
    return x, torch.randint(0, 3, (12,), generator=generator)


def build(
    method: type[Method],
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
    space: Space = SPACE,
    **options: Any,
) -> Method:
    """A method with these options on a toy."""
    torch.manual_seed(seed)
    return method(method.Options.model_validate(options), Toy().to(dtype), space=space, seed=seed)


def set_alpha(method: WeightSharing, rows: list[list[float]]) -> None:
    with torch.no_grad():
        method.alpha.copy_(torch.tensor(rows))


def numeric(function: Any, at: Tensor, width: float = 1e-5) -> Tensor:
    """The gradient of `function`, from a tensor to a number, by central differences."""
    gradient = torch.zeros_like(at)
    for index in range(at.numel()):
        step = torch.zeros_like(at)
        step.view(-1)[index] = width
        high, low = (torch.as_tensor(function(at + sign * step), dtype=at.dtype).detach() for sign in (1, -1))
        gradient.view(-1)[index] = (high - low) / (2 * width)
    return gradient


def snapshot(method: WeightSharing) -> dict[str, Tensor]:
    """A copy of all weights and buffers."""
    return {name: value.clone() for name, value in method.supernet.state_dict().items()}


class FakeSelection:
    """Scores by a function of the mixture; each takes `cost` seconds, a training step one."""

    def __init__(
        self,
        score: Callable[[Mixture], float],
        space: Space = SPACE,
        *,
        seconds: float = math.inf,
        cost: float = 1.0,
    ) -> None:
        self.score, self.space, self.seconds, self.cost = score, space, seconds, cost
        self.rng = random.Random(0)
        self.asked: list[Mixture] = []
        self.trained: list[int] = []

    def left(self) -> float:
        return self.seconds

    def accuracy(self, mixture: Mixture) -> float:
        self.seconds -= self.cost
        self.asked.append(mixture)
        return self.score(mixture)

    def train(self, steps: int) -> None:
        self.seconds -= steps
        self.trained.append(steps)
