"""Whether a supernet ranks networks as training does: k random ones are trained as the winner is."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import MappingProxyType

from automl.checkpoints import CheckpointFolder
from automl.contracts import (
    Bounds,
    Candidate,
    Checkpoints,
    Config,
    Context,
    Direction,
    Evaluator,
    Json,
    Task,
    derive_seed,
)
from automl.oneshot.result import RankedNetwork
from automl.ranks.checkpoints import OfRank0
from automl.ranks.group import agreed
from automl.space import Space
from automl.supernets.alarms import kendall_tau
from automl.training.protocol import NetworkTrainer

TRIES = 20  # draws for each network, in a space of fewer than are wanted
MARGIN = 1.1  # the next training may take so many times the longest so far


class SideContext:
    """The context of a training that is not a trial: it reports nothing and has separate checkpoints."""

    final = False
    needs_value = False
    refits: Json | None = None
    candidates: Sequence[Candidate] = ()
    constraints: Mapping[str, Bounds] = MappingProxyType({})

    def __init__(self, context: Context, name: str) -> None:
        self.context = context
        self.seed = derive_seed(context.seed, name)
        self.device, self.workdir, self.metrics = context.device, context.workdir, context.metrics
        self.folder = context.workdir / "aside" / name
        self.checkpoint: Checkpoints = OfRank0(CheckpointFolder(self.folder))

    @property
    def remaining(self) -> float:
        """Device-seconds left for the trial."""
        return self.context.remaining

    @property
    def devices(self) -> float:
        """Devices of the trial."""
        return self.context.devices

    @property
    def task(self) -> Task:
        """The trial's data."""
        return self.context.task

    @property
    def space(self) -> Space:
        """The trial's space."""
        return self.context.space

    @property
    def protocol(self) -> Evaluator:
        """The study's evaluator."""
        return self.context.protocol

    def report(self, step: int, value: float, **metrics: float) -> None:
        """Report nothing."""

    def log(self, step: int, **metrics: float) -> None:
        """Report nothing."""

    def charge(self, device_seconds: float) -> None:
        """Charge nothing: the trial pays in wall time."""

    def measured(self, **metrics: float) -> None:
        """Measure nothing: a network that is trained aside may break constraints."""

    def kept_by(self, candidate: Candidate) -> AbstractContextManager[Path]:
        """There are no candidates."""
        return self.context.kept_by(candidate)

    def refitted(self) -> AbstractContextManager[Path]:
        """Nothing is refitted."""
        return self.context.refitted()

    def artifact(self, name: str) -> Path:
        """A path that is not kept."""
        return self.folder / name


def draw(space: Space, count: int, seed: int) -> list[Config]:
    """Up to `count` random configurations that differ as networks."""
    rng, configs = random.Random(seed), dict[str, Config]()
    for _ in range(TRIES * count):
        config = space.sample(rng)
        configs.setdefault(space.digest(config), config)
        if len(configs) == count:
            break
    return list(configs.values())


def rank_check(
    drawn: Sequence[RankedNetwork], context: Context, trainer: NetworkTrainer, seconds: float
) -> dict[str, float]:
    """Kendall's tau between the accuracies of `drawn` by the supernet and after training by `trainer`.

    One training takes about `seconds`. Networks for which the budget has no time are left out.
    """
    trained: list[tuple[float, float]] = []
    metric = context.metrics[0]
    sign = 1 if metric.direction is Direction.MAXIMIZE else -1
    for number, network in enumerate(drawn):
        if context.remaining / context.devices < MARGIN * seconds:
            break
        start = time.monotonic()
        aside = SideContext(context, f"rank-{number}")
        result = trainer.train(network.config, aside)
        trained.append((network.supernet, sign * result.values[metric.name]))
        seconds = max(seconds, agreed(time.monotonic() - start))
    shutil.rmtree(context.workdir / "aside", ignore_errors=True)
    tau = kendall_tau([first for first, _ in trained], [second for _, second in trained])
    metrics = {"rank_cells": float(len(trained))}
    return metrics if tau is None else {**metrics, "rank_tau": tau}
