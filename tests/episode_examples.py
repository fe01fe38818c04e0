"""Small few-shot tasks for tests of evaluators."""

from __future__ import annotations

import numpy as np

from automl.contracts import EpisodeSpec, Split, Task


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
