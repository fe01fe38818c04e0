"""Which families of models `automl fit` searches, by what is asked of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from automl import templates
from automl.contracts import Json
from automl.data.parts import Parts
from automl.plugins import load
from automl.tables.monotone import Trend, without_signs
from automl.tables.weighting import without_weights


def space_of(monotone: Mapping[str, Trend] | None, weights: str | None) -> str | Json:
    """The key `space`: without the families that cannot do what is asked for."""
    out = {*(without_signs() if monotone else ()), *(without_weights() if weights else ())}
    if not out:
        return templates.SPACE
    models = load("spaces", templates.SPACE).parameters["model"]
    left = [family for family in models.options if family not in out]
    return {"name": templates.SPACE, "narrow": {"model": left}}


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
