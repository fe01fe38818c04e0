"""Arms against arms: verdicts that are corrected together, with intervals that agree.

The p-values of all arms of a study are corrected together (Holm, 1979), so that the chance of any wrong
verdict among them is at most 5 %; the corrected value decides. Each is valid at every look, so the corrected
ones are too. Each interval has the level 1 − 0.05 / (the factor that Holm's correction gives the pair, or
gave the first pair that failed). So it leaves out zero if and only if the verdict is decided, and it is never
narrower than that of 95 %. Equivalence is a verdict of its own: the interval of level 1 − 0.05 / (number of
pairs) lies within the margin, which is two one-sided tests (Schuirmann, 1987) at half of that each.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from automl.contracts import Direction
from automl.report.looks import Plan
from automl.report.statistics import ALPHA, MOST_SEEDS, POWER, Paired, holm, paired, power, seeds_needed

_ROUNDING = 1e-9  # a spread below this share of the values is rounding, not noise
Answer: TypeAlias = Literal["better", "worse", "undecided", "equivalent"]


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
        if look > result.n and power(effect, look, plan.weight(look) * level) >= POWER:
            return look
    return None
