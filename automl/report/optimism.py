"""How much better a search looks than it is: its best value, its retrained winner, and the test set.

The best of many noisy values is too good on average. Retrained with fresh seeds, the same configuration gives
a value that selection has not touched; on the sealed test set, one that no decision has touched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from automl.report.chosen import Chosen, marked
from automl.report.judging import Rules
from automl.report.markup import Column, table
from automl.report.searches import Level, SearchReport
from automl.report.statistics import paired
from automl.report.wording import Units, plural

TITLE = "Optimism of the selection (later − earlier value, mean over seeds):"


@dataclass(frozen=True)
class Gap:
    """The mean of later − earlier value over `seeds`, with an interval that is valid at every look."""

    mean: float | None
    interval: tuple[float, float] | None
    interval_level: float
    seeds: int


@dataclass(frozen=True)
class Optimism:
    """Of one arm. Values are in the metric's unit; a missing level gives a gap without a mean."""

    validation_to_fresh: Gap
    fresh_to_test: Gap
    validation_to_test: Gap

    @property
    def seeds(self) -> int:
        """With a value after that of the selection."""
        return max(self.validation_to_fresh.seeds, self.validation_to_test.seeds)


def optimism(searches: Sequence[SearchReport], rules: Rules) -> Optimism:
    """The gaps of an arm."""
    return Optimism(
        _gap(searches, "validation", "fresh", rules),
        _gap(searches, "fresh", "test", rules),
        _gap(searches, "validation", "test", rules),
    )


def _gap(searches: Sequence[SearchReport], earlier: Level, later: Level, rules: Rules) -> Gap:
    known = [(search.value(earlier), search.value(later)) for search in searches]
    return gap([after - before for before, after in known if before is not None and after is not None], rules)


def gap(steps: Sequence[float], rules: Rules) -> Gap:
    """The mean of differences, one for each seed."""
    result = paired(list(steps), rules.plan_of(len(steps)))
    return Gap(result.mean, result.interval, result.level, len(steps))


def lines(found: Mapping[str, Optimism], units: Units) -> Iterator[str]:
    """A line for each arm that has retrained or tested a winner."""
    for arm, gaps in found.items():
        steps = {"best → fresh": gaps.validation_to_fresh, "fresh → test": gaps.fresh_to_test}
        known = {name: gap for name, gap in steps.items() if gap.mean is not None}
        if not known and gaps.validation_to_test.mean is not None:
            known = {"best → test": gaps.validation_to_test}
        if known:
            text = ", ".join(f"{name} {gap_text(gap, units)}" for name, gap in known.items())
            yield f"{arm}: {text} ({plural(max(gap.seeds for gap in known.values()), 'seed')})"


def section(found: Mapping[str, Optimism], units: Units, chosen: Chosen | None = None) -> str:
    """The HTML table; empty before a winner is retrained."""
    known = {arm: gaps for arm, gaps in found.items() if gaps.seeds}
    if not known:
        return ""
    columns = [Column(name) for name in ("arm", "seeds", "best → fresh", "fresh → test", "best → test")]
    rows = [
        [
            escape(marked(arm, chosen)),
            str(gaps.seeds),
            gap_text(gaps.validation_to_fresh, units),
            gap_text(gaps.fresh_to_test, units),
            gap_text(gaps.validation_to_test, units),
        ]
        for arm, gaps in known.items()
    ]
    unit = f", in{units.difference_unit}" if units.difference_unit else ""
    return f"""<h2>Optimism of the selection</h2>
{table(columns, rows)}
<p class="soft">Later − earlier value, mean over seeds with a 95 % interval that is valid at every
look{unit}. The best of many values is too good on average; values of fresh seeds and of the test set have
chosen nothing.</p>"""


def gap_text(gap: Gap, units: Units) -> str:
    """The mean with its interval; a dash without values."""
    if gap.mean is None:
        return "–"
    mean = units.difference(gap.mean, sign=True)
    if gap.interval is None:
        return mean
    low, high = (units.difference(end, sign=True) for end in gap.interval)
    return f"{mean} ({low} to {high})"
