"""Arms against the baseline: what is compared, means over seeds, verdicts, ranking."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any, Final, TypeAlias

from automl.contracts import Direction
from automl.report.statistics import Verdict, compare
from automl.report.wording import Units, sentence

BASELINE: Final = "random"
LEVELS: Final = ("test", "fresh", "validation")
Arms: TypeAlias = Mapping[str, Sequence[Mapping[str, Any]]]


def level_value(search: Mapping[str, Any], level: str) -> float | None:
    """A search's value on `validation`, or its mean over `fresh` or `test` values."""
    if level == "validation":
        return search["best"]["value"] if search["best"] else None
    return fmean(search[level]) if search[level] else None


def comparison(arms: Arms, metric: str, direction: Direction, *, finished: bool) -> dict[str, Any]:
    """`compared`, `verdicts`, `summary` and `ranking` of the searches of each arm."""
    compared = _compared(arms, finished)
    values = {
        arm: {search["seed"]: level_value(search, compared) for search in searches}
        for arm, searches in arms.items()
    }
    summary = {
        arm: {level: _summary([level_value(search, level) for search in searches]) for level in LEVELS}
        for arm, searches in arms.items()
    }
    seen = [value for by_seed in values.values() for value in by_seed.values() if value is not None]
    units = Units.of(metric, seen)
    verdicts = compare(values, BASELINE, direction) if BASELINE in values else []
    sign = -1 if direction is Direction.MAXIMIZE else 1
    means = {arm: summary[arm][compared]["mean"] for arm in arms}
    return {
        "compared": compared,
        "verdicts": [
            _verdict(verdict, compared, sentence(verdict, direction, units)) for verdict in verdicts
        ],
        "summary": summary,
        "ranking": sorted(arms, key=lambda arm: math.inf if means[arm] is None else sign * means[arm]),
    }


def _compared(arms: Arms, finished: bool) -> str:
    """The highest level that every arm with a result has reached, one for the whole campaign.

    While a campaign runs, every search has to have reached it. When it is finished, a search whose
    retraining failed loses its seed, and does not pull the campaign down unless its arm has no other.
    """
    started = [[s for s in searches if s["best"]] for searches in arms.values()]
    started = [searches for searches in started if searches]
    enough = any if finished else all
    for level in LEVELS[:-1]:
        if started and all(enough(bool(s[level]) for s in searches) for searches in started):
            return level
    return LEVELS[-1]


def _summary(values: Sequence[float | None]) -> dict[str, Any]:
    known = [value for value in values if value is not None]
    return {
        "mean": fmean(known) if known else None,
        "sd": stdev(known) if len(known) > 1 else None,
        "n": len(known),
    }


def _verdict(verdict: Verdict, compared: str, text: str) -> dict[str, Any]:
    result = verdict.paired
    return {
        "arm": verdict.arm,
        "against": verdict.against,
        "difference": result.mean,
        "interval": list(result.interval) if result.interval else None,
        "p_value": verdict.p_value,
        "verdict": verdict.verdict,
        "seeds": result.n,
        "more_seeds": verdict.more_seeds,
        "compared": compared,
        "single_p_value": verdict.single,
        "comparisons": verdict.comparisons,
        "paired_seeds": verdict.seeds,
        "dropped_seeds": verdict.dropped,
        "sentence": text,
    }
