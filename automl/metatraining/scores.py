"""What a meta-learner is worth on episodes: the mean over them with its 95 % interval."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from scipy import stats

from automl import metrics
from automl.contracts import Episodes, EpisodeSpec, Task, UserError, derive_seed
from automl.learners.base import Learner
from automl.ranks.group import spread

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
    """Each metric on all `episodes`, whose batches the ranks of a trial divide.

    Raises `RunError` for predictions that are not finite.
    """

    def scored(batch: Episodes) -> list[dict[str, float]]:
        outputs = learner.predict(batch, steps=steps)
        predictions = (outputs.softmax(-1) if batch.ways else outputs).cpu().numpy()
        pairs = zip(batch.query_y.cpu().numpy(), predictions, strict=True)
        found = [metrics.score(names, y, prediction) for y, prediction in pairs]
        return [{name: float(value) for name, value in values.items()} for values in found]

    values = list(chain.from_iterable(spread(episodes, scored)))
    return {name: interval(np.array([value[name] for value in values])) for name in names}


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
