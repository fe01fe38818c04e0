"""The difference of one arm's values in two campaigns: paired over seeds, else Welch's test.

With n, mean and variance (n−1) of the values of now and before,

    d = mean_now − mean_before     e² = s²_now/n_now + s²_before/n_before
    ν = e⁴ / Σ (s²/n)² / (n − 1)   interval = d ± t(0.975, ν) · e   p = 2 · P(T_ν > |d| / e)

(Welch, 1947). Values that do not vary at all have no interval; their p-value is that of the exact
permutation test, 2 / C(n_now + n_before, n_now).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
from scipy import special

from automl.contracts import Direction
from automl.report.judging import compare
from automl.report.statistics import ALPHA, Spread

Answer: TypeAlias = Literal["better", "worse", "no different", "cannot tell"]
Values: TypeAlias = Mapping[int, float | None]  # by seed
POINTS: Final = 0.005  # of a metric that is a fraction: half a point
SHARE: Final = 0.01  # of the earlier mean, for all other metrics
_ROUNDING: Final = 1e-9  # a spread below this share of the values is rounding, not noise


@dataclass(frozen=True)
class Difference:
    """Values of now against values of before; `mean` is now − before, in the metric's unit.

    `paired`: over `seeds`, else Welch's test of all values. `dropped`: seeds without a value in both.
    """

    paired: bool
    now: Spread
    before: Spread
    mean: float | None
    interval: tuple[float, float] | None
    p_value: float | None
    seeds: tuple[int, ...]
    dropped: tuple[int, ...]

    @property
    def same(self) -> bool:
        """Whether all values are equal, in at least two seeds of each."""
        return self.mean == 0 and self.interval is None and self.p_value == 1.0

    def answer(self, direction: Direction, within: float, p_value: float | None) -> Answer:
        """Decided at 0.05 by `p_value`, which may be corrected; `within`: see `alike`."""
        if self.mean is None or p_value is None:
            return "cannot tell"
        if p_value < ALPHA:
            return "better" if direction.better(self.mean, 0.0) else "worse"
        ends = (0.0, 0.0) if self.same else self.interval
        if ends is not None and max(map(abs, ends)) <= within:
            return "no different"
        return "cannot tell"


def difference(now: Values, before: Values, *, paired: bool) -> Difference:
    """The difference of two arms' values by seed; missing and infinite ones do not count."""
    ours, theirs = _known(now), _known(before)
    sides = Spread.of(list(ours.values())), Spread.of(list(theirs.values()))
    if not paired:
        dropped = sorted((now.keys() - ours.keys()) | (before.keys() - theirs.keys()))
        mean, interval, p_value = welch(list(ours.values()), list(theirs.values()))
        return Difference(False, sides[0], sides[1], mean, interval, p_value, (), tuple(dropped))
    # the direction has no part in the difference, its interval and its p-value
    verdict = compare({"now": now, "before": before}, "before", Direction.MAXIMIZE)[0]
    found, seeds, dropped = verdict.paired, verdict.seeds, verdict.dropped
    return Difference(
        paired=True,
        now=sides[0],
        before=sides[1],
        mean=found.mean,
        interval=found.interval,
        p_value=found.p_value,
        seeds=tuple(seeds),
        dropped=tuple(dropped),
    )


def _known(values: Values) -> dict[int, float]:
    return {seed: value for seed, value in values.items() if value is not None and math.isfinite(value)}


def welch(
    now: Sequence[float], before: Sequence[float]
) -> tuple[float | None, tuple[float, float] | None, float | None]:
    """Difference of means, its 95 % interval and p-value; None where there are too few values."""
    if not now or not before:
        return None, None, None
    sides = [np.asarray(side, dtype=float) for side in (now, before)]
    mean = float(sides[0].mean() - sides[1].mean())
    if min(map(len, sides)) < 2:
        return mean, None, None
    largest = max(float(np.abs(side).max()) for side in sides)
    if max(float(np.ptp(side)) for side in sides) <= _ROUNDING * largest:
        equal = abs(mean) <= _ROUNDING * largest
        return (0.0, None, 1.0) if equal else (mean, None, 2 / math.comb(len(now) + len(before), len(now)))
    parts = [float(side.var(ddof=1)) / len(side) for side in sides]
    error = math.sqrt(sum(parts))
    freedom = sum(parts) ** 2 / sum(
        part**2 / (len(side) - 1) for part, side in zip(parts, sides, strict=True)
    )
    half = float(special.stdtrit(freedom, 1 - ALPHA / 2)) * error
    p_value = 2 * float(special.stdtr(freedom, -abs(mean) / error))
    return mean, (mean - half, mean + half), p_value


def alike(before: float, *, fraction: bool) -> float:
    """How far two means may lie apart to be called no different; `before`: the earlier mean."""
    return POINTS if fraction else SHARE * abs(before)
