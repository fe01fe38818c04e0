"""What a meta-learner is worth on episodes: the mean over them with its 95 % interval."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from automl import metrics
from automl.contracts import Episodes, EpisodeSpec, Task, UserError, derive_seed
from automl.learners.base import Learner

BATCH = 20  # episodes at a time
LEVEL = 0.95


class Interval(NamedTuple):
    """The mean over episodes and the Student-t interval of it."""

    mean: float
    low: float
    high: float


def episodes_of(task: Task) -> EpisodeSpec:
    """How episodes of `task` are drawn. Raises `UserError` when it has none."""
    if task.episodes is None:
        raise UserError(
            f"meta-learning needs few-shot tasks, but task.episodes is not set for {task.name!r}; write "
            "task.episodes: {ways: 5, shots: 1}, for instance"
        )
    return task.episodes


def seed(task: Task) -> int:
    """The seed of the fixed episodes of `task`: the same for every learner, search and process."""
    return derive_seed("episodes", task.digest)


def measure(
    learner: Learner, episodes: Iterable[Episodes], names: Sequence[str], *, steps: int | None = None
) -> dict[str, Interval]:
    """Each metric on all `episodes`. Raises `RunError` for predictions that are not finite."""
    values: dict[str, list[float]] = {name: [] for name in names}
    for batch in episodes:
        outputs = learner.predict(batch, steps=steps)
        predictions = (outputs.softmax(-1) if batch.ways else outputs).cpu().numpy()
        for y, prediction in zip(batch.query_y.cpu().numpy(), predictions, strict=True):
            for name, value in metrics.score(names, y, prediction).items():
                values[name].append(value)
    return {name: interval(np.array(numbers)) for name, numbers in values.items()}


def named(measured: Mapping[str, Interval], end: str = "") -> dict[str, float]:
    """Plain numbers: `<metric><end>`, and the same with `_low` and `_high`."""
    values: dict[str, float] = {}
    for name, value in measured.items():
        values |= {f"{name}{end}": value.mean, f"{name}{end}_low": value.low, f"{name}{end}_high": value.high}
    return values


def interval(values: np.ndarray) -> Interval:
    """Of the mean of independent `values`, (n,)."""
    mean = float(values.mean())
    reach = (
        float(stats.t.ppf((1 + LEVEL) / 2, len(values) - 1) * stats.sem(values)) if len(values) > 1 else 0.0
    )
    return Interval(mean, mean - reach, mean + reach)
