"""Checkpoints of a trial that several ranks train: rank 0 writes them, and reads them for all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from automl.contracts import Checkpoint, Checkpoints
from automl.ranks.group import current


class OfRank0:
    """Checkpoints that all ranks save and load together; nothing in them depends on how many there are."""

    def __init__(self, checkpoints: Checkpoints) -> None:
        self.checkpoints = checkpoints

    def save(self, step: int, state: Mapping[str, Any]) -> None:
        """Write `state` after `step`, on rank 0."""
        if current().rank == 0:
            self.checkpoints.save(step, state)

    def load(self) -> Checkpoint | None:
        """The newest intact (step, state) that rank 0 finds, or None."""
        found = self.checkpoints.load() if current().rank == 0 else None
        step = current().told(None if found is None else found[0])
        state = current().told_state(None if found is None else found[1])
        return None if step is None or state is None else (step, state)
