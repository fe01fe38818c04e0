"""When verdicts are taken, and what each look costs: a group-sequential t-test with exact levels.

A test at 5 % that is repeated after every seed decides wrongly far more often than in 5 %. So the 5 % are
divided over the looks of a plan. At look n the p-value q_n of the ordinary t-test is divided by a weight w_n;
the smallest quotient so far, m, is the statistic, and the p-value that is valid at every look is

    p = F(m),  F(x) = P(q_n ≤ w_n · x at any look of the plan), when all differences are 0 in truth.

F is exact for normal differences of unknown spread. With S the sum and Q the sum of squares of n differences,
R_n = S / √Q has the t-statistic T = R √((n−1)/(n−R²)), and is a Markov chain: the direction of a spherical
normal vector does not depend on its length, so that R_{n+1} = R_n cos ψ + sin ψ with √n · tan ψ from the
t distribution with n degrees of freedom, independent of R_1 … R_n. One integral for each look follows.

References: Pocock 1977 and O'Brien and Fleming 1979 (looks with weights); Lan and DeMets 1983 and Kim and
DeMets 1987 (spending 5 % over looks; the weights here rise with the square of n as theirs do with a power);
Jennison and Turnbull 1989, 1991 (repeated intervals, the t-test at every look); Johari, Pekelis and Walsh
2015 (p-values that are valid at every look).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import special

GROWN: Final = 0.05  # of looks after the planned one, when a campaign grows: times n / first
FAR: Final = 0.02  # weight of the looks at which a campaign doubles later
EVERY_SEED: Final = 20  # a campaign that grows is looked at after every seed up to here, or to twice its plan
MOST_STEPS: Final = 50
POINTS, NODES = 40, 28  # of the chain's state, and of each integral: 1e-4 of a level near 5 %
_HALF: Final = math.pi / 2
_TINY: Final = 1e-300
Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Plan:
    """The looks of a comparison: numbers of seeds at which a verdict may be taken.

    The first is at `first` seeds, then after every seed up to `last`. `first` = `last`: one look, the
    ordinary test. `last` None: `first` seeds were planned, and more may follow without end. Then looks are
    after every seed up to `every`, and at 2, 4, 8, … times that.
    """

    first: int
    last: int | None = None

    @property
    def at_once(self) -> bool:
        """Whether there is one look."""
        return self.first == self.last

    @property
    def every(self) -> int:
        """Up to which number of seeds each is a look."""
        if self.last is not None:
            return self.last
        return min(max(EVERY_SEED, 2 * self.first), self.first + MOST_STEPS)

    def weight(self, n: int) -> float:
        """The weight of `n` seeds, 0 when that is no look."""
        if n < self.first or (self.last is not None and n > self.last):
            return 0.0
        if self.last is not None:
            return ((n - 1) / (self.last - 1)) ** 2
        if n <= self.every:
            return 1.0 if n == self.first else min(1.0, GROWN * n / self.first)
        doublings = math.log2(n / self.every)
        return FAR * 0.5 ** (doublings - 1) if doublings == int(doublings) else 0.0

    def looks(self, n: int) -> list[int]:
        """The looks up to `n` seeds."""
        found = list(range(self.first, min(n, self.every) + 1))
        far = 2 * self.every if self.last is None else n + 1
        while far <= n:
            found.append(far)
            far *= 2
        return found

    def of_fewer(self, n: int) -> Plan:
        """The plan of a pair that ends with `n` seeds, fewer than planned: its one look is then."""
        if n >= self.first or n < 2:
            return self
        return Plan(n, n if self.at_once else self.last)

    def p_value(self, smallest: float) -> float:
        """F: the chance of a quotient q_n / w_n of at most `smallest` at any look."""
        if self.at_once or smallest <= 0:
            return min(1.0, smallest)
        far = 2 * FAR * smallest if self.last is None else 0.0  # the sum of all their levels
        return min(1.0, _crossing(self, min(1.0, smallest)) + far)

    def level(self, alpha: float) -> float:
        """The x with F(x) = `alpha`: at look n, an ordinary p-value up to w_n · x decides at `alpha`."""
        return alpha if self.at_once else _level(self, alpha)


@lru_cache(maxsize=1024)
def _level(plan: Plan, alpha: float) -> float:
    """By the secant method on logarithms, in which F is almost straight."""
    target = math.log(alpha)
    low, high = math.log(alpha / 3), target
    at_low, at_high = (math.log(plan.p_value(math.exp(x))) - target for x in (low, high))
    for _ in range(20):
        if abs(at_high) < 1e-7 or at_high == at_low:
            break
        low, high, at_low = high, high - at_high * (high - low) / (at_high - at_low), at_high
        at_high = math.log(plan.p_value(math.exp(high))) - target
    return math.exp(high)


@lru_cache(maxsize=4096)
def _crossing(plan: Plan, x: float) -> float:
    """F without the far looks, from the last look back to the first."""
    looks = plan.looks(plan.every)
    bounds = [_bound(n, min(1.0, plan.weight(n) * x)) for n in looks]
    later: _Later | None = None
    for n, bound, following in zip(looks[-2::-1], bounds[-2::-1], bounds[:0:-1], strict=True):
        later = _step(n, bound, following, later)
    first, level = looks[0], min(1.0, plan.weight(looks[0]) * x)
    if later is None or bounds[0] == 0:
        return level
    nodes, weights = _legendre(4 * NODES)
    edge = math.asin(min(1.0, bounds[0] / math.sqrt(first)))
    angles = edge * nodes
    density = _scale(first - 1) * np.cos(angles) ** (first - 2)
    inside = later.chance(math.sqrt(first) * np.sin(angles))
    return level + float(2 * edge * (weights * density * inside).sum())


def _bound(n: int, level: float) -> float:
    """|R| at which the ordinary p-value at `n` seeds is `level`."""
    t = float(special.stdtrit(n - 1, 1 - level / 2))
    return math.sqrt(n) * math.sin(math.atan(t / math.sqrt(n - 1)))


def _step(n: int, bound: float, following: float, later: _Later | None) -> _Later:
    """The chances at `n` seeds. `following`: the bound of the next look.

    R' = R cos ψ + sin ψ = √(1+R²) sin(ψ+θ) with tan θ = R stays within `following` for ψ in two intervals.
    """
    reach = min(bound, math.sqrt(max(following**2 - 1, 0.0)))
    steps = np.linspace(0, 1, POINTS)
    states = np.concatenate([reach * (1 - (1 - steps) ** 2), reach + (bound - reach) * steps**2])
    theta = np.arctan(states)
    edge = np.arcsin(np.minimum(1.0, following / np.sqrt(1 + states**2)))
    pieces = [
        (np.maximum(-_HALF, -edge - theta), edge - theta),
        (np.minimum(_HALF, math.pi - edge - theta), np.full_like(theta, _HALF)),
    ]
    chances = np.ones_like(states)
    for low, high in pieces:
        chances -= _angle_cdf(n, high) - _angle_cdf(n, low)
    if later is not None:
        nodes, weights = _legendre(NODES)
        for low, high in pieces:
            width = (high - low)[:, None]
            psi = low[:, None] + width * nodes
            new = np.abs(states[:, None] * np.cos(psi) + np.sin(psi))
            density = _scale(n) * np.cos(psi) ** (n - 1)
            chances += (width * weights * density * later.chance(new)).sum(axis=1)
    return _Later(reach, bound, chances)


@dataclass(frozen=True)
class _Later:
    """The chance to cross at the next look or later, for states |R| up to `bound`.

    From `reach` on, the next look can be crossed: a square root begins there. So `chances` has two parts of
    `POINTS` each, on grids that are even in the root of the distance to `reach`.
    """

    reach: float
    bound: float
    chances: Floats

    def chance(self, states: Floats) -> Floats:
        """By cubic interpolation on four points within each part."""
        below = states < self.reach
        near = 1 - np.sqrt(np.clip(1 - states / max(self.reach, _TINY), 0, 1))
        far = np.sqrt(np.clip((states - self.reach) / max(self.bound - self.reach, _TINY), 0, 1))
        place = np.where(below, near, far) * (POINTS - 1)
        start = np.clip(place.astype(int) - 1, 0, POINTS - 4)
        u = place - start
        start = start + np.where(below, 0, POINTS)
        a, b, c, d = (self.chances[start + offset] for offset in range(4))
        value = -a * (u - 1) * (u - 2) * (u - 3) / 6 + b * u * (u - 2) * (u - 3) / 2
        value += -c * u * (u - 1) * (u - 3) / 2 + d * u * (u - 1) * (u - 2) / 6
        chance: Floats = np.clip(value, 0, 1)
        return chance


def _angle_cdf(n: int, psi: Floats) -> Floats:
    """P(angle ≤ ψ) where √n · tan(angle) has the t distribution with `n` degrees of freedom."""
    inside = np.abs(psi) < _HALF
    tangent = np.tan(np.where(inside, psi, 0.0))
    chance: Floats = np.where(inside, special.stdtr(n, math.sqrt(n) * tangent), psi > 0)
    return chance


def _scale(n: int) -> float:
    """Of the density cos^(n−1) of that angle."""
    return math.exp(math.lgamma((n + 1) / 2) - math.lgamma(n / 2)) / math.sqrt(math.pi)


@lru_cache(maxsize=8)
def _legendre(count: int) -> tuple[Floats, Floats]:
    """Nodes and weights of an integral from 0 to 1."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return (nodes + 1) / 2, weights / 2
