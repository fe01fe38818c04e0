"""A `Context` without a campaign, for checks that run a trial."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from automl.checkpoints import CheckpointFolder
from automl.contracts import (
    Bounds,
    Candidate,
    Checkpoints,
    Evaluator,
    Json,
    Metric,
    RunError,
    Task,
    TrialStopped,
    UserError,
)
from automl.space import Space


@dataclass
class FakeTrial:
    """Keeps what is reported; after `stop_at` reports (None: never) the trial must end."""

    workdir: Path
    space: Space
    protocol: Evaluator
    metrics: list[Metric]
    data: Task | None
    seed: int = 0
    final: bool = False
    needs_value: bool = False
    refits: Json | None = None
    stop_at: int | None = None
    device: str = "cpu"
    remaining: float = math.inf
    devices: float = 1.0
    candidates: Sequence[Candidate] = ()
    constraints: Mapping[str, Bounds] = field(default_factory=dict)
    known: dict[str, float] = field(default_factory=dict)
    reports: list[tuple[int, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.checkpoint: Checkpoints = CheckpointFolder(self.workdir / "checkpoints")

    @property
    def task(self) -> Task:
        """The data. Raises `UserError` without any, as for a study without a dataset."""
        if self.data is None:
            raise UserError(
                "the study names no dataset, but the evaluator asks for one; set needs_data = True"
            )
        return self.data

    def report(self, step: int, value: float, **metrics: float) -> None:
        """Keep a value. Raises `TrialStopped` when the trial must end."""
        self.reports.append((step, value))
        if self.stop_at is not None and len(self.reports) >= self.stop_at:
            raise TrialStopped("stopped by a check")

    def log(self, step: int, **metrics: float) -> None:
        """Keep nothing."""

    def charge(self, device_seconds: float) -> None:
        """Charge nothing."""

    def measured(self, **metrics: float) -> None:
        """Keep what is known before the end."""
        self.known |= metrics

    def kept_by(self, candidate: Candidate) -> AbstractContextManager[Path]:
        """There are no candidates."""
        raise RunError(f"{candidate.trial} has left nothing")

    def refitted(self) -> AbstractContextManager[Path]:
        """Nothing was tested."""
        raise RunError("no model was tested before it")

    def artifact(self, name: str) -> Path:
        """A path in the trial's folder."""
        folder = self.workdir / "artifacts"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / name
