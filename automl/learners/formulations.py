"""How the tasks of a meta-batch run: one after the other, or many at once; the fastest is measured and kept.

Every formulation gives the same meta-gradient up to rounding. Which one is fastest depends on the machine:
small networks are bound by calls (many tasks at once: ten times the loop), Conv4 on a CPU by arithmetic.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch

from automl.contracts import Episodes

SAMPLE = 4  # tasks on which the loop is measured
MARGIN = 0.9  # a formulation replaces the one before it when it takes less than this part of its time
BUDGET = 0.2  # seconds of repeated measuring
CPU_BYTES = 2**30
MEASURED: dict[str, Formulation] = {}


class Formulation(NamedTuple):
    """`tasks` run at once; 0 is the plain loop over tasks."""

    tasks: int

    def __str__(self) -> str:
        return f"batched, {self.tasks} tasks at once" if self.tasks else "loop"

    def parts(self, episodes: Episodes) -> Iterator[Episodes]:
        """The pieces that are computed in one go. Those of the loop have no task dimension."""
        for start in range(0, len(episodes), max(self.tasks, 1)):
            where = slice(start, start + self.tasks) if self.tasks else start
            yield select(episodes, where)


def select(episodes: Episodes, where: slice | int) -> Episodes:
    """Some tasks, or one without its task dimension."""
    return Episodes(
        episodes.support_x[where],
        episodes.support_y[where],
        episodes.query_x[where],
        episodes.query_y[where],
        episodes.ways,
    )


def fit(bytes_per_task: float, device: torch.device) -> int:
    """How many tasks may run at once: in 1 GiB on a CPU, in half of what is free on a GPU."""
    free = CPU_BYTES if device.type != "cuda" else torch.cuda.mem_get_info(device)[0] / 2
    return max(1, int(free / bytes_per_task))


def fastest(
    key: str, episodes: Episodes, most: int, run: Callable[[Formulation, Episodes], object]
) -> Formulation:
    """The fastest formulation for such `episodes` with at most `most` tasks at once; measured once per `key`.

    `run` must wait for the device and change nothing. Measured are the loop and a batch of a few tasks, and
    the largest batch where the small one already pays (or nearly does).
    """
    if key not in MEASURED:
        few = min(SAMPLE, most, len(episodes))
        times = _measure([Formulation(0), Formulation(few)], episodes, few, run)
        many = min(most, len(episodes))
        if many > few and times[Formulation(few)] < times[Formulation(0)] / MARGIN:
            times |= _measure([Formulation(many)], episodes, many, run)
        best = Formulation(0)
        for formulation, seconds in times.items():
            if seconds < MARGIN * times[best]:
                best = formulation
        MEASURED[key] = best
    return MEASURED[key]


def _measure(
    formulations: list[Formulation],
    episodes: Episodes,
    tasks: int,
    run: Callable[[Formulation, Episodes], object],
) -> dict[Formulation, float]:
    """Seconds per task: the least of interleaved runs after one that warms up.

    On a CPU those of this thread, so that other programs do not count.
    """
    clock = time.thread_time if episodes.support_x.device.type == "cpu" else time.perf_counter
    part = select(episodes, slice(tasks))
    seconds = dict.fromkeys(formulations, math.inf)
    for formulation in formulations:
        run(formulation, part)
    spent = 0.0
    for turn in range(5):
        if turn and spent > BUDGET:
            break
        for formulation in formulations:
            start = clock()
            run(formulation, part)
            taken = clock() - start
            spent += taken
            seconds[formulation] = min(seconds[formulation], taken / tasks)
    return seconds
