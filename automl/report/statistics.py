"""The paired t-test over seeds, honest at few seeds and at every look, and the correction of several.

For the seeds both arms have, in their order, d_k = arm_k − against_k. With n seeds, mean d and standard
deviation s, a plan with one look gives the paired t-test:

    interval = d ± t(0.975, n−1) · s / √n          p = 2 · P(T_{n−1} > |d| √n / s)

A plan with more looks gives a p-value that is valid at all of them (`looks`), and the interval of all
differences that no look so far has refused: the intersection of the repeated intervals of the looks.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

import numpy as np
from numpy.typing import NDArray
from scipy import special

from automl.report.looks import Plan

ALPHA = 0.05
POWER = 0.8
MOST_SEEDS = 1000


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
    """Differences over `n` seeds: mean, spread (n−1), interval of `level` and p-value valid at every look.

    One seed gives no spread, interval or p-value, and fewer seeds than the plan's first look (`awaits`, else
    None) give no interval and no p-value. Equal differences give no interval either, and their p-value is
    that of the exact sign-flip test, 2^(1−n), which is valid at every look by itself.
    """

    n: int
    mean: float | None
    spread: float | None
    interval: tuple[float, float] | None
    p_value: float | None
    level: float = 1 - ALPHA
    awaits: int | None = None


def paired(differences: Sequence[float], plan: Plan | None = None, alpha: float = ALPHA) -> Paired:
    """The paired t-test of finite `differences`, one per seed in the order of the looks.

    By default one look at all of them. `alpha`: 1 − the level of the interval. Of a plan that has ended,
    later differences are left out.
    """
    plan = plan or Plan(len(differences), len(differences))
    values = np.asarray(differences, dtype=float)[: plan.last]
    n = len(values)
    if n == 0:
        return Paired(0, None, None, None, None)
    mean, spread = float(values.mean()), float(values.std(ddof=1)) if n > 1 else None
    if n < plan.first:
        return Paired(n, mean, spread, None, None, awaits=plan.first)
    if n == 1:
        return Paired(1, float(values[0]), None, None, None)
    smallest, signs = math.inf, 1.0
    low, high = -math.inf, math.inf
    level = plan.level(alpha)
    for look in plan.looks(n):
        if np.ptp(values[:look]) == 0:
            signs = 1.0 if values[0] == 0 else 2.0 ** (1 - look)
            continue
        single, middle, half = _look(values[:look], plan.weight(look) * level)
        smallest = min(smallest, single / plan.weight(look))
        if max(low, middle - half) < min(high, middle + half):
            low, high = max(low, middle - half), min(high, middle + half)
    if np.ptp(values) == 0:
        return Paired(n, float(values[0]), 0.0, None, signs)
    p_value = min(signs, plan.p_value(smallest))
    interval = (low, high) if math.isfinite(low) else None
    return Paired(n, mean, spread, interval, p_value, 1 - alpha)


def _look(values: NDArray[np.float64], level: float) -> tuple[float, float, float]:
    """The ordinary t-test: its p-value, the mean, and half of the interval at `level`."""
    n, mean = len(values), float(values.mean())
    error = float(values.std(ddof=1)) / math.sqrt(n)
    half = float(special.stdtrit(n - 1, 1 - level / 2)) * error
    return 2 * float(special.stdtr(n - 1, -abs(mean) / error)), mean, half


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
    place = bisect_left(sizes, POWER, key=lambda n: power(abs(effect), n, alpha))
    return sizes[place] if place < len(sizes) else None


def power(effect: float, n: int, alpha: float) -> float:
    """The chance that the two-sided paired t-test of `n` seeds finds `effect` = |d|/s at level `alpha`."""
    critical = special.stdtrit(n - 1, 1 - alpha / 2)
    shift = effect * math.sqrt(n)
    missed = special.nctdtr(n - 1, shift, critical)
    wrong_side = special.nctdtr(n - 1, shift, -critical)
    # scipy gives nan for some vanishing tails: far beyond the critical value nothing is missed
    return float(1 - np.nan_to_num(missed) + np.nan_to_num(wrong_side))
