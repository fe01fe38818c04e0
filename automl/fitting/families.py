"""Which families of models `automl fit` searches, by what is asked of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from automl import templates
from automl.contracts import Json
from automl.data.parts import Parts
from automl.plugins import load
from automl.tables import boosters
from automl.tables.monotone import Trend, without_signs
from automl.tables.weighting import without_weights

BOOSTED: Final = "tabular_boosters"  # the space with the families of the extra `tables`


def space_of(monotone: Mapping[str, Trend] | None, weights: str | None) -> str | Json:
    """The key `space`: with boosters that are installed, without families that cannot do what is asked."""
    there = boosters.installed()
    name = BOOSTED if there else templates.SPACE
    out = {*(without_signs() if monotone else ()), *(without_weights() if weights else ())}
    out |= set(boosters.PACKAGES) - set(there)
    models = load("spaces", name).parameters["model"]
    left = [family for family in models.options if family not in out]
    return name if len(left) == len(models.options) else {"name": name, "narrow": {"model": left}}


def about_boosters() -> str:
    """Which families of other libraries are searched, and what would bring those that are not."""
    there = boosters.installed()
    absent = [name for name in boosters.PACKAGES if name not in there]
    adds = f"; pip install 'automl-orchestrator[tables]' adds {', '.join(absent)}" if absent else ""
    return f"families: {', '.join(['those of scikit-learn', *there])}{adds}"


def about_trends(parts: Parts, trends: Mapping[str, Trend] | None, told: list[str]) -> Json:
    """Columns with which predictions rise or fall, and what that leaves out."""
    if not trends:
        return {}
    what = f"the probability of {parts.labels[1]!r}" if len(parts.labels) == 2 else "the prediction"
    words = {"increasing": "rises", "decreasing": "falls"}
    each = ", ".join(f"{words[trend]} with {name}" for name, trend in trends.items())
    told.append(f"monotone: {what} {each}; {', '.join(without_signs())} are left out")
    return {"monotone": dict(trends)}


def about_weights(column: str | None) -> Iterator[str]:
    """What weights of rows do, and what they leave out."""
    if column is not None:
        left = ", ".join(without_weights())
        yield f"weights: {column} says how much a row counts in fits, {left} left out; scores count all alike"
