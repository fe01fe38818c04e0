"""Paired comparison of arms over seeds, honest at few seeds and at every look.

For the seeds both arms have, in their order, d_k = arm_k − against_k. With n seeds, mean d and standard
deviation s, a plan with one look gives the paired t-test:

    interval = d ± t(0.975, n−1) · s / √n          p = 2 · P(T_{n−1} > |d| √n / s)

A plan with more looks gives a p-value that is valid at all of them (`looks`), and the interval of all
differences that no look so far has refused: the intersection of the repeated intervals of the looks.

The p-values of all arms of a study are corrected together (Holm, 1979), so that the chance of any wrong
verdict among them is at most 5 %; the corrected value decides. Each interval has the level 1 − 0.05 / (the
factor that Holm's correction gives the pair, or gave the first pair that failed). So it leaves out zero if
and only if the verdict is decided, and it is never narrower than that of 95 %.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import special

from automl.contracts import Direction
from automl.report.looks import Plan

ALPHA = 0.05
POWER = 0.8
MOST_SEEDS = 1000
_ROUNDING = 1e-9  # a spread below this share of the values is rounding, not noise
Answer: TypeAlias = Literal["better", "worse", "undecided", "equivalent"]


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


@dataclass(frozen=True)
class Rules:
    """How pairs are judged. `plan`: the looks, by default one at the seeds that a pair has.

    `margin`: differences below it are equivalence. `settled`: no value of a planned seed will come, so that a
    pair that has lost seeds is judged by the others. `open`: the first look is still to come.
    """

    plan: Plan | None = None
    margin: float | None = None
    settled: bool = True
    open: bool = False

    def plan_of(self, n: int) -> Plan:
        """The plan of a pair with `n` seeds."""
        if self.plan is None:
            return Plan(n, n)
        if self.open:
            return Plan(max(self.plan.first, n + 1), None)
        return self.plan.of_fewer(n) if self.settled else self.plan


@dataclass(frozen=True)
class Verdict:
    """`arm` against `against`. Differences are arm − against, in the metric's unit.

    `p_value` is Holm-corrected and decides `verdict` at 0.05: better, worse or undecided; an undecided pair
    whose interval lies within the margin that was asked for is equivalent. `within`: whether it does, None
    without a margin. `single` is uncorrected. `more_seeds`: how many more an undecided pair needs for 80 %
    power at the observed difference and spread; None when that is unknown, above 1,000, or more than its
    plan has; 0 when decided. `dropped`: seeds without a finite value in both arms. `comparisons`: number of
    p-values corrected together. `last`: the most seeds of a plan with several looks, None without end.
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
    within: bool | None = None
    last: int | None = None

    @property
    def single(self) -> float | None:
        """The p-value before correction."""
        return self.paired.p_value


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
    values: Mapping[str, Mapping[int, float | None]],
    against: str,
    direction: Direction,
    rules: Rules = Rules(),
) -> list[Verdict]:
    """Every arm of `values` (arm → seed → value, in the order of the looks) against the arm `against`."""
    return compare_pairs(values, [(arm, against) for arm in values if arm != against], direction, rules)


def compare_pairs(
    values: Mapping[str, Mapping[int, float | None]],
    pairs: Sequence[tuple[str, str]],
    direction: Direction,
    rules: Rules = Rules(),
) -> list[Verdict]:
    """Every pair of arms, corrected together; see `compare`."""
    found = [_differences(values[arm], values[against]) for arm, against in pairs]
    plans, margin = [rules.plan_of(len(differences)) for _, differences in found], rules.margin
    results = [paired(differences, plan) for (_, differences), plan in zip(found, plans, strict=True)]
    tested = [place for place, result in enumerate(results) if result.p_value is not None]
    corrected, factors = holm([results[place].p_value or 0.0 for place in tested])
    levels = interval_factors(corrected, factors)
    by_pair = dict(zip(tested, zip(corrected, factors, levels, strict=True), strict=True))
    verdicts = []
    for place, ((arm, against), (seeds, differences)) in enumerate(zip(pairs, found, strict=True)):
        p_value, factor, wider = by_pair.get(place, (None, 1, 1))
        undecided = p_value is None or p_value >= ALPHA
        wider = len(tested) if undecided and margin is not None and tested else wider
        result = paired(differences, plans[place], ALPHA / wider)
        answer = _answer(result, p_value, direction, margin)
        verdicts.append(
            Verdict(
                arm=arm,
                against=against,
                paired=result,
                p_value=p_value,
                verdict=answer,
                more_seeds=0 if answer != "undecided" else _more_seeds(result, factor, plans[place]),
                seeds=seeds[: result.n],
                dropped=_dropped(values[arm], values[against], seeds),
                comparisons=len(tested),
                within=_within(result, margin),
                last=None if plans[place].at_once else plans[place].last,
            )
        )
    return verdicts


def interval_factors(corrected: Sequence[float], factors: Sequence[int]) -> list[int]:
    """What 0.05 is divided by for intervals that agree with Holm's verdicts."""
    failed = [factor for p_value, factor in zip(corrected, factors, strict=True) if p_value >= ALPHA]
    first = max(failed, default=1)
    return [first if p >= ALPHA else factor for p, factor in zip(corrected, factors, strict=True)]


def _differences(
    first: Mapping[int, float | None], second: Mapping[int, float | None]
) -> tuple[list[int], list[float]]:
    """Seeds with a finite value of both, in their order, and their differences without rounding."""
    a = {seed: value for seed, value in first.items() if value is not None and math.isfinite(value)}
    b = {seed: value for seed, value in second.items() if value is not None and math.isfinite(value)}
    seeds = [seed for seed in first if seed in a and seed in b]
    differences = np.array([a[seed] - b[seed] for seed in seeds])
    largest = max((max(abs(a[seed]), abs(b[seed])) for seed in seeds), default=0.0)
    if len(seeds) > 1 and np.ptp(differences) <= _ROUNDING * largest:
        same = float(np.median(differences))
        differences = np.full(len(seeds), same if abs(same) > _ROUNDING * largest else 0.0)
    return seeds, differences.tolist()


def _dropped(
    first: Mapping[int, float | None], second: Mapping[int, float | None], paired: Sequence[int]
) -> list[int]:
    """Seeds that a pair has lost; an arm that got no more seeds has lost none."""
    last = max(first, default=-1)
    return sorted(seed for seed in {*first, *second} - set(paired) if seed <= last)


def _answer(result: Paired, p_value: float | None, direction: Direction, margin: float | None) -> Answer:
    if p_value is None or result.mean is None:
        return "undecided"
    if p_value >= ALPHA:
        return "equivalent" if _within(result, margin) else "undecided"
    low, high = result.interval or (0.0, 0.0)
    side = low + high if low * high > 0 else result.mean
    return "better" if direction.better(side, 0.0) else "worse"


def _within(result: Paired, margin: float | None) -> bool | None:
    if margin is None:
        return None
    return result.interval is not None and -margin < result.interval[0] and result.interval[1] < margin


def _more_seeds(result: Paired, factor: int, plan: Plan) -> int | None:
    """`factor`: Holm's for this pair; the level it has to reach is 0.05 / factor."""
    if result.mean is None or result.spread is None or result.mean == 0:
        return None
    if result.spread == 0:  # 2^(1−n) · factor < 0.05
        needed: int | None = math.floor(1 + math.log2(factor / ALPHA)) + 1
    elif plan.at_once:
        needed = seeds_needed(result.mean / result.spread, ALPHA / factor)
    else:
        needed = _look_needed(result, plan, ALPHA / factor)
    if needed is None or needed - result.n > MOST_SEEDS:
        return None
    return max(1, needed - result.n)


def _look_needed(result: Paired, plan: Plan, alpha: float) -> int | None:
    """The first look to come that would find the observed effect with 80 % power, were it the only one."""
    if result.mean is None or not result.spread:
        return None
    effect, level = abs(result.mean) / result.spread, plan.level(alpha)
    for look in plan.looks(result.n + MOST_SEEDS):
        if look > result.n and _power(effect, look, plan.weight(look) * level) >= POWER:
            return look
    return None
