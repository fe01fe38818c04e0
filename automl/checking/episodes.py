"""Small few-shot tasks on which learners are checked."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from automl.contracts import Episodes

GROUPS = 2  # of tasks in a `RepeatedTasks`, each with classes of its own


def sinusoids(tasks: int, *, shots: int = 5, queries: int = 6, seed: int = 0) -> Episodes:
    """Amplitude 0.1 to 5, phase 0 to π, inputs in [-5, 5]."""
    generator = torch.Generator().manual_seed(seed)
    amplitude = torch.rand(tasks, 1, generator=generator) * 4.9 + 0.1
    phase = torch.rand(tasks, 1, generator=generator) * math.pi
    x = torch.rand(tasks, shots + queries, 1, generator=generator) * 10 - 5
    y = amplitude * torch.sin(x[..., 0] - phase)
    return Episodes(x[:, :shots], y[:, :shots], x[:, shots:], y[:, shots:], 0)


def images(
    tasks: int, *, ways: int = 3, shots: int = 2, queries: int = 2, side: int = 8, seed: int = 0
) -> Episodes:
    """Classes that differ in a random pattern under noise."""
    generator = torch.Generator().manual_seed(seed)
    patterns = torch.randn(tasks, ways, 1, 1, side, side, generator=generator)
    noise = torch.randn(tasks, ways, shots + queries, 1, side, side, generator=generator)
    x = patterns + 0.5 * noise
    y = torch.arange(ways)[None, :, None].expand(tasks, ways, shots + queries)
    support, query = (slice(shots), slice(shots, None))
    return Episodes(
        x[:, :, support].flatten(1, 2),
        y[:, :, support].flatten(1, 2),
        x[:, :, query].flatten(1, 2),
        y[:, :, query].flatten(1, 2),
        ways,
    )


def double(episodes: Episodes) -> Episodes:
    """The same in float64."""
    y = (episodes.support_y, episodes.query_y)
    support_y, query_y = y if episodes.ways else (y[0].double(), y[1].double())
    return Episodes(episodes.support_x.double(), support_y, episodes.query_x.double(), query_y, episodes.ways)


@dataclass(frozen=True)
class RepeatedTasks:
    """A source that gives the same tasks at every step.

    As ordinary examples, their support sets come with classes of which every other task has the same.
    """

    tasks: Episodes

    @property
    def classes(self) -> int:
        """All classes; 0 for regression."""
        return GROUPS * self.tasks.ways

    def episodes(self) -> Episodes:
        """The tasks."""
        return self.tasks

    def examples(self) -> tuple[Tensor, Tensor]:
        """All support examples: inputs (n, *shape), and classes or values (n,)."""
        y = self.tasks.support_y
        if self.tasks.ways:
            y = y + self.tasks.ways * (torch.arange(len(y))[:, None] % GROUPS)
        return self.tasks.support_x.flatten(0, 1), y.flatten()
