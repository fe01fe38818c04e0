"""Small meta-batches for tests of learners."""

from __future__ import annotations

import math

import numpy as np
import torch

from automl.contracts import Episodes, EpisodeSpec, Split, Task


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


def episodic_task(classes: int = 6, *, ways: int = 2, images: int = 6, count: int = 20) -> Task:
    """Images (1, 8, 8) whose class is a random pattern under noise; the parts share no class."""

    def part(seed: int) -> Split:
        rng = np.random.default_rng(seed)
        y = np.repeat(np.arange(classes), images)
        x = rng.normal(size=(classes, 1, 8, 8))[y] + 0.5 * rng.normal(size=(len(y), 1, 8, 8))
        return Split(x.astype(np.float32), y)

    spec = EpisodeSpec(ways=ways, shots=1, queries=3, count=count)
    return Task("patterns", "image", (1, 8, 8), classes, part(0), part(1), "0" * 64, spec)


def functions_task() -> Task:
    """Straight lines through zero, 8 points each."""

    def part(seed: int) -> Split:
        rng = np.random.default_rng(seed)
        x = rng.uniform(-1, 1, (20, 8, 1)).astype(np.float32)
        return Split(x, (rng.normal(size=(20, 1)) * x[..., 0]).astype(np.float32))

    spec = EpisodeSpec(ways=0, shots=4, queries=4, count=20)
    return Task("lines", "functions", (1,), 0, part(0), part(1), "1" * 64, spec)
