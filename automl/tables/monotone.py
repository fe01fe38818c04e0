"""Columns with which predictions may only rise, or only fall, whatever the other columns hold.

Trees keep such a promise split by split; a mean of models that keep it does, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

from automl.contracts import Mistakes, Task, UserError
from automl.space import Choice, Space
from automl.tables.families import FAMILIES
from automl.tables.values import DEFAULTS

Trend: TypeAlias = Literal["increasing", "decreasing"]
SIGNS: Final[Mapping[Trend, int]] = {"increasing": 1, "decreasing": -1}


def signs_of(trends: Mapping[str, Trend]) -> dict[str, int]:
    """1 and -1 by the name of a column."""
    return {name: SIGNS[trend] for name, trend in trends.items()}


def not_monotone(config: Mapping[str, Any], columns: Mapping[str, object]) -> str:
    """Why the family of `config` cannot rise or fall with `columns`; "" where it can, or there are none."""
    family = str(config.get("model", DEFAULTS["model"]))
    if not columns or family not in FAMILIES or FAMILIES[family].signs:
        return ""
    return f"{family} does not promise to rise or fall with {', '.join(columns)}; {_families()} do"


def mistakes(columns: Mapping[str, object], space: Space) -> Mistakes:
    """A space without a family that can rise or fall with columns."""
    models = space.parameters.get("model")
    options = models.options if isinstance(models, Choice) else (DEFAULTS["model"],)
    if all(not_monotone({"model": family}, columns) for family in options):
        named = ", ".join(map(str, options))
        yield "monotone", f"needs one of the families {_families()}, but the space has {named}"


def check_columns(columns: Mapping[str, object], task: Task) -> None:
    """Raise `UserError` unless `columns` hold numbers, and the target numbers or two classes."""
    if not columns:
        return
    if task.classes > 2:
        text = f"monotone needs a target of numbers or of two classes, but {task.name!r} has {task.classes}"
        raise UserError(f"{text}; leave evaluator.pipeline.monotone out")
    numbers = [str(name) for name in task.train.x.select_dtypes(["number", "bool"]).columns]
    if wrong := [name for name in columns if name not in numbers]:
        raise UserError(
            f"monotone must name columns that hold numbers, but got {', '.join(wrong)}; those are "
            f"{', '.join(numbers) or 'not there'}"
        )


def without_signs() -> list[str]:
    """The families that do not promise to rise or fall with a column."""
    return [name for name, family in FAMILIES.items() if family.signs is None]


def _families() -> str:
    return ", ".join(name for name, family in FAMILIES.items() if family.signs)
