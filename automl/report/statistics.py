"""Paired comparison of arms over seeds, honest at few seeds.

For the seeds both arms have, d_k = arm_k − against_k. With n seeds, mean d and standard deviation s,

    interval = d ± t(0.975, n−1) · s / √n          p = 2 · P(T_{n−1} > |d| √n / s)

The interval is that of its pair alone. The p-values of all arms of a study are corrected together
(Holm, 1979), so that the chance of any wrong verdict among them is at most 5 %; the corrected value
decides. So a decided pair always has an interval without zero, while an interval without zero may still
belong to an undecided pair.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Literal, TypeAlias

import numpy as np
from scipy import special

from automl.contracts import Direction

ALPHA = 0.05
POWER = 0.8
MOST_SEEDS = 1000
_ROUNDING = 1e-9  # a spread below this share of the values is rounding, not noise
Answer: TypeAlias = Literal["better", "worse", "undecided"]


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation (n−1) of `n` values; None where there are too few."""

    mean: float | None
    sd: float | None
    n: int

    @classmethod
    def of(cls, values: Sequence[float | None]) -> Spread:
        """The spread of the values that are known."""
        known = [value for value in values if value is not None]
        return cls(
            mean=fmean(known) if known else None,
            sd=stdev(known) if len(known) > 1 else None,
            n=len(known),
        )


@dataclass(frozen=True)
class Paired:
    """Differences over `n` seeds: mean, spread (n−1), 95 % interval and p-value.

    One seed gives no spread, interval or p-value. Equal differences give no interval either, and their
    p-value is that of the exact sign-flip test, 2^(1−n).
    """

    n: int
    mean: float | None
    spread: float | None
    interval: tuple[float, float] | None
    p_value: float | None


@dataclass(frozen=True)
class Verdict:
    """`arm` against `against`. Differences are arm − against, in the metric's unit.

    `p_value` is Holm-corrected and decides `verdict` (better, worse, undecided) at 0.05; `single` is
    uncorrected. `more_seeds`: how many more an undecided pair needs for 80 % power at the observed
    difference and spread; None when that is unknown or above 1,000; 0 when decided. `dropped`: seeds without
    a finite value in both arms. `comparisons`: number of p-values corrected together.
    """

    arm: str
    against: str
    paired: Paired
    p_value: float | None
    verdict: Answer
    more_seeds: int | None
    seeds: list[int]
    dropped: list[int]
    comparisons: int

    @property
    def single(self) -> float | None:
        """The p-value before correction."""
        return self.paired.p_value


def paired(differences: Sequence[float]) -> Paired:
    """The paired t-test of finite `differences`, one per seed."""
    n = len(differences)
    if n == 0:
        return Paired(0, None, None, None, None)
    values = np.asarray(differences, dtype=float)
    if n == 1:
        return Paired(1, float(values[0]), None, None, None)
    if np.ptp(values) == 0:
        return Paired(n, float(values[0]), 0.0, None, 1.0 if values[0] == 0 else 2.0 ** (1 - n))
    mean, spread = float(values.mean()), float(values.std(ddof=1))
    error = spread / math.sqrt(n)
    half = float(special.stdtrit(n - 1, 1 - ALPHA / 2)) * error
    p_value = 2 * float(special.stdtr(n - 1, -abs(mean) / error))
    return Paired(n, mean, spread, (mean - half, mean + half), p_value)


def holm(p_values: Sequence[float]) -> tuple[list[float], list[int]]:
    """Holm's corrected p-values, and the factor each was multiplied by, in the given order."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    corrected, factors = [1.0] * len(order), [1] * len(order)
    highest = 0.0
    for rank, i in enumerate(order):
        factors[i] = len(order) - rank
        highest = max(highest, min(1.0, factors[i] * p_values[i]))
        corrected[i] = highest
    return corrected, factors


def seeds_needed(effect: float, alpha: float = ALPHA) -> int | None:
    """Fewest seeds at which a two-sided paired t-test finds `effect` = |d|/s with 80 % power.

    Power by the noncentral t distribution: P(|T_{n−1}(effect · √n)| > t(1 − alpha/2, n−1)). None when more
    than 2,000 are needed.
    """
    sizes = range(2, 2 * MOST_SEEDS + 1)
    place = bisect_left(sizes, POWER, key=lambda n: _power(abs(effect), n, alpha))
    return sizes[place] if place < len(sizes) else None


def _power(effect: float, n: int, alpha: float) -> float:
    critical = special.stdtrit(n - 1, 1 - alpha / 2)
    shift = effect * math.sqrt(n)
    missed = special.nctdtr(n - 1, shift, critical)
    wrong_side = special.nctdtr(n - 1, shift, -critical)
    # scipy gives nan for some vanishing tails: far beyond the critical value nothing is missed
    return float(1 - np.nan_to_num(missed) + np.nan_to_num(wrong_side))


def compare(
    values: Mapping[str, Mapping[int, float | None]], against: str, direction: Direction
) -> list[Verdict]:
    """Every arm of `values` (arm → seed → value) against the arm `against`, corrected together."""
    pairs = {arm: _pair(values[arm], values[against]) for arm in values if arm != against}
    tested = [arm for arm, (_, result) in pairs.items() if result.p_value is not None]
    corrected, factors = holm([pairs[arm][1].p_value or 0.0 for arm in tested])
    by_arm = dict(zip(tested, zip(corrected, factors, strict=True), strict=True))
    verdicts = []
    for arm, (seeds, result) in pairs.items():
        p_value, factor = by_arm.get(arm, (None, 1))
        verdict = _verdict(result, p_value, direction)
        verdicts.append(
            Verdict(
                arm=arm,
                against=against,
                paired=result,
                p_value=p_value,
                verdict=verdict,
                more_seeds=0 if verdict != "undecided" else _more_seeds(result, factor),
                seeds=seeds,
                dropped=sorted({*values[arm], *values[against]} - set(seeds)),
                comparisons=len(tested),
            )
        )
    return verdicts


def _pair(first: Mapping[int, float | None], second: Mapping[int, float | None]) -> tuple[list[int], Paired]:
    a = {seed: value for seed, value in first.items() if value is not None and math.isfinite(value)}
    b = {seed: value for seed, value in second.items() if value is not None and math.isfinite(value)}
    seeds = sorted(a.keys() & b.keys())
    differences = np.array([a[seed] - b[seed] for seed in seeds])
    largest = max((max(abs(a[seed]), abs(b[seed])) for seed in seeds), default=0.0)
    if len(seeds) > 1 and np.ptp(differences) <= _ROUNDING * largest:
        same = float(np.median(differences))
        differences = np.full(len(seeds), same if abs(same) > _ROUNDING * largest else 0.0)
    return seeds, paired(differences.tolist())


def _verdict(result: Paired, p_value: float | None, direction: Direction) -> Answer:
    if p_value is None or result.mean is None or p_value >= ALPHA:
        return "undecided"
    return "better" if direction.better(result.mean, 0.0) else "worse"


def _more_seeds(result: Paired, factor: int) -> int | None:
    """`factor`: Holm's for this pair; the level it has to reach is 0.05 / factor."""
    if result.mean is None or result.spread is None or result.mean == 0:
        return None
    if result.spread == 0:  # 2^(1−n) · factor < 0.05
        needed: int | None = math.floor(1 + math.log2(factor / ALPHA)) + 1
    else:
        needed = seeds_needed(result.mean / result.spread, ALPHA / factor)
    if needed is None or needed - result.n > MOST_SEEDS:
        return None
    return max(1, needed - result.n)
