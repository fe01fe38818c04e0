"""How numbers and verdicts read, the same in the terminal and in HTML."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from automl.contracts import INTERVAL_LEVEL, Direction
from automl.report.judging import Verdict
from automl.report.settings import Budget
from automl.report.statistics import MOST_SEEDS, Spread

FRACTIONS = {"accuracy", "balanced_accuracy", "f1", "roc_auc"}
COMPARED = {
    "test": "sealed test score (mean of the fresh-seed retrainings)",
    "fresh": "validation score of the fresh-seed retrainings (mean)",
    "validation": "best validation score of the search",
}
NOTHING: Final = 1e-9  # points: the rounding of a mean


@dataclass(frozen=True)
class Units:
    """Values of one metric for people: fractions in percent and points, all others as they are.

    `digits` are significant digits of differences and decimals of percentages.
    """

    scale: float = 1.0
    unit: str = ""
    difference_unit: str = ""

    @classmethod
    def of(cls, metric: str, values: Iterable[float]) -> Units:
        """Percent for a metric known to be a fraction whose values all lie in 0 … 1."""
        if metric in FRACTIONS and all(0 <= value <= 1 for value in values):
            return cls(100.0, "%", " points")
        return cls()

    def label(self, metric: str) -> str:
        """The metric with its unit, for the heading of an axis or a column."""
        return f"{metric}, {self.unit}" if self.unit else metric

    def value(self, value: float | None) -> str:
        """A value without its unit; a dash when there is none."""
        if value is None:
            return "–"
        return f"{value * self.scale:.1f}" if self.unit else f"{value:.4g}"

    def within(self, interval: tuple[float, float] | None) -> str:
        """The interval of a value, in brackets behind it; "" where none was measured."""
        if interval is None:
            return ""
        low, high = map(self.value, interval)
        return f" (95 % interval {low} to {high})"

    def spread(self, spread: Spread) -> str:
        """Mean ± standard deviation over seeds; the mean alone for one seed."""
        if spread.mean is None:
            return "–"
        mean = self.value(spread.mean)
        if spread.sd is None:
            return mean
        return f"{mean} ± {spread.sd * self.scale:.1f}" if self.unit else f"{mean} ± {spread.sd:.2g}"

    def difference(self, value: float, *, sign: bool = False) -> str:
        """A difference without its unit, with a true minus sign."""
        scaled = value * self.scale
        size = abs(scaled)
        if self.unit and size < NOTHING:
            return "0"
        text = f"{size:.2g}"
        if self.unit and size >= 0.095:
            text = f"{size:.1f}" if size >= 0.95 else f"{size:.2f}"
        if scaled < 0 and float(text) != 0:
            return f"−{text}"
        return f"+{text}" if sign else text


def budget_text(budget: Budget) -> str:
    """The budget of one search in words."""
    limits = {
        "device-seconds": budget.device_seconds,
        "trials": budget.trials,
        "seconds of wall time": budget.wall_seconds,
    }
    given = [f"{limit:,.10g} {name}" for name, limit in limits.items() if limit is not None]
    return f"at most {' or '.join(given)} a search" if given else ""


def p_text(p_value: float) -> str:
    """The p-value, never rounded across 0.05."""
    if p_value < 0.001:
        return "p < 0.001"
    return f"p = {p_value:.4f}" if 0.045 < p_value < 0.055 else f"p = {p_value:.2g}"


def of_intervals(intervals: tuple[float, float] | None, sets: tuple[float, float] | None) -> str:
    """What prediction intervals or sets have done on the test rows; "" where nothing was measured."""
    level = f"{100 * INTERVAL_LEVEL:.0f} %"
    if intervals is not None:
        share, width = intervals
        return f"{level} intervals hold {100 * share:.1f} % of the test rows, mean width {width:.4g}"
    if sets is not None:
        share, size = sets
        return f"{level} sets hold {100 * share:.1f} % of the test rows, {size:.3g} classes on average"
    return ""


def plural(count: int, noun: str, many: str = "") -> str:
    """`1 seed`, `2 seeds`, `1,200 seeds`. `many`: a plural that does not end in a plain s."""
    return f"{count:,} {noun if count == 1 else many or f'{noun}s'}"


def test_set(openings: int) -> str:
    """How often the test set has been opened."""
    return f"The test set was opened {plural(openings, 'time')}." if openings else "The test set is sealed."


def seconds(value: float | None) -> str:
    """A duration in a readable unit."""
    if value is None:
        return "–"
    if value < 600:
        return f"{value:.3g} s" if value < 100 else f"{value:.0f} s"
    if value < 36_000:
        return f"{value / 60:.0f} min"
    return f"{value / 3600:.1f} h"


def sentence(verdict: Verdict, direction: Direction, units: Units) -> str:
    """The verdict in one plain sentence; the leading arm's difference is positive."""
    parts = [_claim(verdict, direction, units)]
    if verdict.verdict == "undecided" and verdict.paired.n > 1 and not verdict.paired.awaits:
        parts.append(_outlook(verdict))
    if verdict.dropped:
        listed = ", ".join(map(str, verdict.dropped))
        noun = "seed" if len(verdict.dropped) == 1 else "seeds"
        parts.append(f"{noun} left out because one of the two arms has no value: {listed}")
    return "; ".join(parts)


def _claim(verdict: Verdict, direction: Direction, units: Units) -> str:
    result = verdict.paired
    open_question = f"cannot tell yet whether {verdict.arm} is better than {verdict.against}"
    if result.mean is None:
        return f"{open_question}: no seed has a result of both arms"
    sign = 1 if direction is Direction.MAXIMIZE else -1
    ahead = sign if sign * result.mean >= 0 else -sign  # turns differences positive for the one in front
    difference = f"{units.difference(ahead * result.mean)}{units.difference_unit}"
    lead = f"{'ahead' if ahead == sign else 'behind'} by {difference}"
    if result.n == 1 and result.awaits in (None, 2):
        return f"{open_question}: {lead} with one seed, which gives no interval; run more seeds"
    if result.awaits:
        seeds = f"{result.n} of {plural(result.awaits, 'seed')}"
        return f"not decided yet: {verdict.arm} against {verdict.against} is {lead} with {seeds}"
    if result.spread == 0 and result.mean == 0:
        return f"{open_question}: they are equal on all {result.n} seeds"
    evidence = _evidence(verdict, ahead, units)
    if verdict.verdict == "equivalent":
        return f"{verdict.arm} and {verdict.against} are equivalent: within the margin ({evidence})"
    if verdict.verdict == "undecided":
        return f"{open_question}: {lead} ({evidence})"
    return f"{verdict.arm} is {verdict.verdict} than {verdict.against} by {difference} ({evidence})"


def _evidence(verdict: Verdict, sign: int, units: Units) -> str:
    result = verdict.paired
    interval = "the same on every seed, so no interval"
    if result.interval is not None:
        low, high = sorted(sign * end for end in result.interval)
        level = f"{100 * result.level:.3g}"
        interval = f"{level} % interval {units.difference(low)} to {units.difference(high)}"
    p_value = p_text(verdict.p_value if verdict.p_value is not None else math.nan)
    return f"{interval}, {p_value}, {plural(result.n, 'seed')}"


def _outlook(verdict: Verdict) -> str:
    if verdict.more_seeds is not None:
        return f"about {plural(verdict.more_seeds, 'more seed')} would"
    if verdict.last is not None:
        if verdict.paired.n >= verdict.last:
            return f"all {plural(verdict.last, 'seed')} of its plan are used"
        return f"more than the {plural(verdict.last, 'seed')} of its plan would be needed"
    if verdict.paired.mean == 0:
        return "the results so far do not separate them"
    return f"more than {MOST_SEEDS:,} more seeds would be needed"
