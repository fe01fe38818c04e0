"""How much each row counts in a fit: by the weights that the data have, and by the size of its class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from automl.contracts import Mistakes, Split, Task, UserError
from automl.space import Choice, Space
from automl.tables.families import FAMILIES
from automl.tables.values import DEFAULTS


def row_weights(part: Split, *, balanced: bool) -> np.ndarray | None:
    """The weights (n,) of the rows of `part`; None where all rows count alike.

    `balanced`: the rows of each class that has any count as much together.
    """
    if not balanced:
        return part.weights
    found = np.ones(len(part)) if part.weights is None else part.weights
    sums = np.bincount(part.y, found)[part.y]
    return np.asarray(np.divide(found, sums, out=np.zeros(len(part)), where=sums > 0))


def mean_one(weights: np.ndarray | None) -> np.ndarray | None:
    """`weights` (n,) with the mean 1, so that penalties mean what they mean without. Raises `UserError`."""
    if weights is None:
        return None
    if not weights.any():
        raise UserError(
            f"some of the rows that are fitted must have a weight above 0, but all {len(weights)} have 0; "
            "correct task.weights"
        )
    return np.asarray(weights / weights.mean())


def not_weighted(config: Mapping[str, Any]) -> str:
    """Why the family of `config` cannot let some rows count more than others; "" where it can."""
    family = str(config.get("model", DEFAULTS["model"]))
    if family not in FAMILIES or FAMILIES[family].weighted:
        return ""
    return f"{family} has no weights of rows; leave it out, or let all rows count alike"


def mistakes(space: Space, key: str) -> Mistakes:
    """A space without a family that has weights of rows, for which `key` asks."""
    models = space.parameters.get("model")
    options = models.options if isinstance(models, Choice) else (DEFAULTS["model"],)
    if all(not_weighted({"model": family}) for family in options):
        yield key, f"needs a family with weights of rows, but the space has {', '.join(map(str, options))}"


def check_weights(task: Task, space: Space, *, balanced: bool) -> None:
    """Raise `UserError` for weights by classes where there are none, and where no family has weights."""
    if balanced and not task.classes:
        text = f"class_weights needs a target of classes, but that of {task.name!r} holds numbers"
        raise UserError(f"{text}; leave evaluator.pipeline.class_weights out")
    if task.train.weights is not None:
        for _, text in mistakes(space, ""):
            raise UserError(f"task.weights {text}; name another space, or leave task.weights out")


def without_weights() -> list[str]:
    """The families that have no weights of rows."""
    return [name for name, family in FAMILIES.items() if not family.weighted]
