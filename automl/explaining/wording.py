"""Words that the terminal and the page share."""

from __future__ import annotations

from automl.explaining.dependence import Dependence
from automl.explaining.explanation import Explanation
from automl.explaining.importance import DRAWS


def head(found: Explanation) -> str:
    """Which winner, and how good it is on the rows that are looked at."""
    return f"{found.campaign}: {found.arm}, {score(found)}"


def score(found: Explanation) -> str:
    """Its metric on the rows that are looked at."""
    sample = "all" if found.rows == found.of else f"{found.rows:,} drawn of"
    return f"{found.metric.name} {found.score:.4g} on {sample} {found.of:,} validation rows"


def loss_of_columns(found: Explanation) -> str:
    """What the importance of a column is."""
    return (
        f"loss of {found.metric.name} when a column is shuffled: mean and 95 % interval over "
        f"{found.repeats} shuffles, {DRAWS} samples of the rows each; columns that say the same stand in "
        "for each other"
    )


def output_of(found: Explanation, one: Dependence) -> str:
    """What a dependence is of."""
    if found.pairs is not None:
        return f"predicted {found.target}"
    return f"probability of {one.outputs[0]}" if len(one.outputs) == 1 else "probability"


def number(value: float) -> str:
    """Four digits, no power of ten for what can be read without."""
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.4g}"


def short(value: object, most: int = 30) -> str:
    """A cell, cut where it is long."""
    if isinstance(value, float):
        return number(value)
    text = str(value)
    return text if len(text) <= most else f"{text[: most - 1]}…"
