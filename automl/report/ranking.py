"""The ranking of three arms or more: which places each may have, from all pairs corrected together.

An arm that is better than b others of k and worse than w has a place from w + 1 to k − b: with a chance of at
least 95 %, the places of all arms hold at once (simultaneous intervals of ranks: Al Mohamad, Goeman and van
Zwet, 2022).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Final

from automl.report.chosen import Chosen, marked
from automl.report.comparison import ArmComparison
from automl.report.markup import Column, table

TITLE: Final = "Ranking of all arms:"
ABOUT: Final = (
    "all pairs are corrected together (Holm): each place holds with all others, in 95 % of campaigns"
)


@dataclass(frozen=True)
class Place:
    """An arm with the best and the worst place that it may have, and the arms that it is equivalent to."""

    arm: str
    best: int
    worst: int
    better_than: tuple[str, ...]
    equivalent_to: tuple[str, ...]


def places(comparison: ArmComparison) -> tuple[Place, ...]:
    """Of every arm, in the order of the ranking; empty for fewer than three arms."""
    if not comparison.pairs:
        return ()
    better: dict[str, list[str]] = {arm: [] for arm in comparison.ranking}
    equal: dict[str, list[str]] = {arm: [] for arm in comparison.ranking}
    for pair in comparison.pairs:
        if pair.verdict == "better":
            better[pair.arm].append(pair.against)
        elif pair.verdict == "worse":
            better[pair.against].append(pair.arm)
        elif pair.verdict == "equivalent":
            equal[pair.arm].append(pair.against)
            equal[pair.against].append(pair.arm)
    worse = {arm: sum(arm in others for others in better.values()) for arm in better}
    last = len(better)
    return tuple(
        Place(arm, worse[arm] + 1, last - len(better[arm]), tuple(better[arm]), tuple(equal[arm]))
        for arm in comparison.ranking
    )


def lines(comparison: ArmComparison) -> Iterator[str]:
    """A line for each arm, the best first."""
    for place in places(comparison):
        yield f"{place.arm}: {_places(place)}{_reasons(place)}"


def section(comparison: ArmComparison, chosen: Chosen | None = None) -> str:
    """The HTML tables: places, and every pair with its interval; empty for fewer than three arms."""
    found = places(comparison)
    if not found:
        return ""
    columns = [Column(name) for name in ("arm", "place", "better than", "equivalent to")]
    rows = [
        [
            escape(marked(place.arm, chosen)),
            _places(place),
            escape(", ".join(place.better_than)) or "–",
            escape(", ".join(place.equivalent_to)) or "–",
        ]
        for place in found
    ]
    pairs = "".join(f"<li>{escape(pair.sentence)}</li>" for pair in comparison.pairs)
    return f"""<h2>Ranking</h2>
{table(columns, rows)}
<p class="soft">{escape(ABOUT[:1].upper() + ABOUT[1:])}.</p>
<details><summary>Every pair</summary><ul>{pairs}</ul></details>"""


def _places(place: Place) -> str:
    return f"place {place.best}" if place.best == place.worst else f"places {place.best} to {place.worst}"


def _reasons(place: Place) -> str:
    parts = [f"better than {', '.join(place.better_than)}"] if place.better_than else []
    parts += [f"equivalent to {', '.join(place.equivalent_to)}"] if place.equivalent_to else []
    return f" ({'; '.join(parts)})" if parts else ""
