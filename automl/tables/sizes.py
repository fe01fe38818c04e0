"""Which families are tried on how much data: those whose time grows fastest, only where that is small.

Measured on one core of an AMD EPYC: at its limit one fold of a family takes some ten seconds at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from automl.contracts import Config, Task
from automl.space import Choice, Space


@dataclass(frozen=True)
class Limit:
    """The most training rows, and the most cells (rows × columns of the table)."""

    rows: int
    cells: int


LIMITS: Final = {
    "svm": Limit(5_000, 500_000),
    "knn": Limit(20_000, 1_000_000),
    "mlp": Limit(20_000, 500_000),
    "mlps": Limit(100_000, 5_000_000),
}


def not_tried(config: Config, task: Task, space: Space) -> str:
    """Why the family of `config` is not tried on the training rows; "" where it is.

    A space that leaves families above their limits alone asks for them: they are tried.
    """
    family = str(config.get("model", ""))
    text = _above(family, task)
    models = space.parameters.get("model")
    if not text or not isinstance(models, Choice):
        return ""
    return text if any(not _above(str(other), task) for other in models.options) else ""


def _above(family: str, task: Task) -> str:
    limit = LIMITS.get(family)
    rows, columns = len(task.train), task.shape[0]
    if limit is None or (rows <= limit.rows and rows * columns <= limit.cells):
        return ""
    return (
        f"{family} is tried up to {limit.rows:,} rows and {limit.cells:,} cells, but training has {rows:,} "
        f"rows × {columns:,} columns; a space of it alone tries it"
    )
