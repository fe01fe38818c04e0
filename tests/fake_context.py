"""A `Context` without a driver, a tiny space of networks and a tiny task, for tests of evaluators."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from automl.checkpoints import CheckpointFolder
from automl.contracts import (
    KEPT,
    Bounds,
    Candidate,
    Config,
    Direction,
    Metric,
    RunError,
    Split,
    Task,
    TrialStopped,
    broken,
)
from automl.space import Choice, Space

ACCURACY = Metric("accuracy", Direction.MAXIMIZE)


@dataclass
class FakeContext:
    """Collects reports; `stop_at` is the number of reports after which the trial must end."""

    workdir: Path
    given_task: Task | None = None
    space: Any = None
    metrics: list[Metric] = field(default_factory=lambda: [ACCURACY])
    seed: int = 0
    device: str = "cpu"
    final: bool = False
    needs_value: bool = False
    refits: dict[str, Any] | None = None
    tested: Path | None = None
    remaining: float = math.inf
    devices: float = 1.0
    protocol: Any = None
    stop_at: int | None = None
    reports: list[tuple[int, float, dict[str, float]]] = field(default_factory=list)
    logs: list[tuple[int, dict[str, float]]] = field(default_factory=list)

    charged: list[float] = field(default_factory=list)
    candidates: list[Candidate] = field(default_factory=list)
    constraints: dict[str, Bounds] = field(default_factory=dict)
    known: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.checkpoint = CheckpointFolder(self.workdir / "checkpoints")

    @property
    def task(self) -> Task:
        assert self.given_task is not None
        return self.given_task

    def report(self, step: int, value: float, **metrics: float) -> None:
        self.reports.append((step, value, metrics))
        if self.stop_at is not None and len(self.reports) >= self.stop_at:
            raise TrialStopped("pruned")

    def log(self, step: int, **metrics: float) -> None:
        self.logs.append((step, metrics))

    def charge(self, device_seconds: float) -> None:
        self.charged.append(device_seconds)

    def measured(self, **metrics: float) -> None:
        self.known |= metrics
        if reason := broken(self.constraints, self.known):
            raise TrialStopped(reason)

    @contextmanager
    def kept_by(self, candidate: Candidate) -> Iterator[Path]:
        folder = Path(candidate.workdir or "") / KEPT
        if not folder.is_dir():
            raise RunError(f"{folder} is not there")
        yield folder

    @contextmanager
    def refitted(self) -> Iterator[Path]:
        if self.tested is None:
            raise RunError("the model that was tested is not there")
        yield self.tested

    def artifact(self, name: str) -> Path:
        folder = self.workdir / "artifacts"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / name


def tiny_network(
    config: Config, shape: tuple[int, ...], classes: int, *, channels: int, cells: int
) -> nn.Module:
    """One convolution with batch norm, dropout (to need the random state) and a linear head."""
    return nn.Sequential(
        nn.Conv2d(shape[0], channels, int(config["kernel"] or 3), padding=1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.1),
        nn.Linear(4 * channels, classes),
    )


class TinySpace(Space):
    """One parameter, and the tiny network."""

    def __init__(self) -> None:
        super().__init__({"kernel": Choice([3])}, network=tiny_network)


TINY_CONFIG: Config = {"kernel": 3}


def stripes(rows: int = 120, side: int = 8, channels: int = 1, seed: int = 0) -> Split:
    """Images whose class is the brightness pattern: 0 horizontal, 1 vertical, 2 none; noisy."""
    rng = np.random.default_rng(seed)
    y = np.arange(rows) % 3
    x = rng.normal(0, 0.5, (rows, channels, side, side)).astype(np.float32)
    x[y == 0, :, ::2, :] += 2
    x[y == 1, :, :, ::2] += 2
    return Split(x, y.astype(np.int64))


def image_task(rows: int = 120, side: int = 8, channels: int = 1) -> Task:
    train, validation = stripes(rows, side, channels), stripes(rows // 2, side, channels, seed=1)
    return Task("stripes", "image", (channels, side, side), 3, train, validation, "0" * 64)
