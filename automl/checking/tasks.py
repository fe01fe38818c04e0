"""Small tasks on which checks run trials: images, a table, and few-shot tasks of images."""

from __future__ import annotations

import numpy as np
import pandas as pd

from automl.contracts import EpisodeSpec, Split, Task

SHAPE, CLASSES, ROWS = (1, 8, 8), 3, 24
FEATURES = 4
EPISODE_CLASSES, PER_CLASS = 6, 6


def image_task(rows: int = ROWS) -> Task:
    """Images of three classes that differ in a random pattern under noise."""
    return Task(
        "images", "image", SHAPE, CLASSES, _patterns(SHAPE, rows, 0), _patterns(SHAPE, rows, 1), "0" * 64
    )


def table_task(rows: int = ROWS) -> Task:
    """Rows of four numbers, of three classes."""
    train, validation = (_as_table(_patterns((FEATURES,), rows, seed)) for seed in (0, 1))
    return Task("table", "table", (FEATURES,), CLASSES, train, validation, "0" * 64)


def episodic_task() -> Task:
    """Images whose parts share no class."""
    rows = EPISODE_CLASSES * PER_CLASS

    def part(seed: int) -> Split:
        return _patterns(SHAPE, rows, seed, EPISODE_CLASSES, pattern_seed=10 + seed)

    spec = EpisodeSpec(ways=2, shots=1, queries=3, count=20)
    return Task("episodes", "image", SHAPE, EPISODE_CLASSES, part(0), part(1), "0" * 64, spec)


def _as_table(split: Split) -> Split:
    return Split(pd.DataFrame(split.x, columns=[f"x{number}" for number in range(FEATURES)]), split.y)


def _patterns(
    shape: tuple[int, ...], rows: int, seed: int, classes: int = CLASSES, pattern_seed: int = 9
) -> Split:
    """Inputs (rows, *shape), float32, with classes in equal parts."""
    patterns = np.random.default_rng(pattern_seed).normal(size=(classes, *shape))
    y = np.arange(rows, dtype=np.int64) % classes
    x = patterns[y] + 0.5 * np.random.default_rng(seed).normal(size=(rows, *shape))
    return Split(x.astype(np.float32), y)
