"""The configurations that the searches have selected, with a picture where it is a cell."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from statistics import fmean
from typing import Final

from automl.contracts import Config, Scalar
from automl.report.arms import ArmReport
from automl.report.charts.pictures import cell_picture, embedded
from automl.report.chosen import STAR, Chosen, marked
from automl.report.searches import SearchReport
from automl.report.wording import Units, of_intervals, plural

CARDS: Final = 8  # winners of an arm that are shown
OPEN: Final = 3  # of them that are shown at once
LINES: Final = 5  # seeds that are listed with a winner
_LONG: Final = 8  # parameters above which a configuration is folded


def section(arms: Sequence[ArmReport], space: str | None, units: Units, chosen: Chosen | None = None) -> str:
    """Cards for each arm, the most frequent winner first. `space`: the study's, by name."""
    parts = []
    for arm in arms:
        same: dict[str, list[SearchReport]] = {}
        for search in arm.searches:
            if search.best:
                same.setdefault(json.dumps(search.best.trained, sort_keys=True), []).append(search)
        if same:
            often = sorted(same.values(), key=len, reverse=True)
            if chosen is not None and chosen.is_of(arm.name):  # its card is shown, and first
                often.sort(key=lambda searches: chosen.search not in searches)
            cards = [_card(searches, space, units, chosen) for searches in often[:CARDS]]
            rest = f'<p class="soft">and {plural(len(often) - CARDS, "other configuration")}</p>'
            rest = rest if len(often) > CARDS else ""
            parts.append(f"<h3>{escape(marked(arm.name, chosen))}</h3>{_folded(cards)}{rest}")
    return f"<h2>Winners</h2>{''.join(parts)}" if parts else ""


def _folded(cards: Sequence[str]) -> str:
    """The first cards, and the others behind a summary."""
    first, others = (f'<div class="cards">{"".join(part)}</div>' for part in (cards[:OPEN], cards[OPEN:]))
    if len(cards) <= OPEN:
        return first
    more = plural(len(cards) - OPEN, "more configuration")
    return f"{first}<details><summary>{more}</summary>{others}</details>"


def _card(searches: Sequence[SearchReport], space: str | None, units: Units, chosen: Chosen | None) -> str:
    """The configuration that these searches of one arm have all selected."""
    config = searches[0].best.trained if searches[0].best else {}
    rows = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(_scalar(value))}</dd>" for name, value in config.items()
    )
    picture = _picture(config, space)
    listing = f"<dl>{rows}</dl>"
    if picture or len(config) > _LONG:
        listing = f"<details><summary>configuration</summary>{listing}</details>"
    first = sorted(searches, key=lambda search: chosen is None or search is not chosen.search)
    lines = "".join(f"<p>{_values(search, units, chosen)}</p>" for search in first[:LINES])
    if len(searches) > LINES:
        lines += f"<p>and {plural(len(searches) - LINES, 'other seed')}</p>"
    return f'<article class="card">{lines}{picture}{listing}</article>'


def _values(search: SearchReport, units: Units, chosen: Chosen | None) -> str:
    values = [f"validation {units.value(search.value('validation'))}"]
    values += [f"fresh {units.value(fmean(search.fresh))}"] if search.fresh else []
    within = units.within(search.test_interval)
    values += [f"test {units.value(fmean(search.test))}{within}"] if search.test else []
    values += [told] if (told := of_intervals(search.intervals, search.sets)) else []
    trial = escape(search.best.trial.rpartition("/")[2]) if search.best else ""
    star = f"{STAR} " if chosen is not None and search is chosen.search else ""
    return f"<strong>{star}seed {search.seed}</strong>, trial {trial}<br>{' · '.join(values)}"


def _scalar(value: Scalar) -> str:
    """Six digits of a number; the export keeps them all."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value)


def _picture(config: Config, space: str | None) -> str:
    """The cell as an image, in which no script can run; empty for a configuration that is no cell."""
    svg = cell_picture(config, space or "cell")
    if svg is None:
        return ""
    return embedded(svg, "Cell: " + ", ".join(f"{name} {value}" for name, value in config.items()))
