"""The baseline's distribution. n = 2,000 draws of a fixed search, so a pass is a pass for ever;

the bounds are where another seed would fail with a probability below 1e-6 per test.
"""

from __future__ import annotations

import math
from collections import Counter
from functools import cache
from typing import Any

import pytest
from histories import LOSS

from automl.contracts import PluginSpec, TrialState
from automl.space import Choice, Float, Int, Space
from automl.strategies.searcher import Searcher

N = 2000
SPACE = Space(
    {
        "rate": Float(1e-5, 1e-1, log=True),
        "linear": Float(-2, 6),
        "stepped": Float(0, 1, step=0.25),
        "even": Int(2, 20, step=2),
        "wide": Int(1, 1000, log=True),
        "kind": Choice(["a", "b", None, 4]),
        "deep": Float(0, 1, when={"kind": ["a", 4]}),
    }
)


@cache
def draws() -> tuple[dict[str, Any], ...]:
    searcher = Searcher.build(SPACE, PluginSpec("random"), PluginSpec("none"), [LOSS], 0)
    found = []
    for number in range(N):
        found.append(searcher.ask(number))
        searcher.tell(number, TrialState.FAILED, None)
    return tuple(config for config in found if config is not None)


def kolmogorov(values: list[float]) -> float:
    """Largest distance of the empirical distribution from the uniform one on [0, 1]."""
    ordered, n = sorted(values), len(values)
    return max(max((i + 1) / n - value, value - i / n) for i, value in enumerate(ordered))


def chi_square(values: list[Any], expected: dict[Any, float]) -> float:
    counts, n = Counter(values), len(values)
    assert set(counts) <= set(expected)
    return sum((counts[value] - n * p) ** 2 / (n * p) for value, p in expected.items())


@pytest.mark.parametrize(
    ("name", "to_unit"),
    [
        ("linear", lambda x: (x + 2) / 8),
        ("rate", lambda x: math.log(x / 1e-5) / math.log(1e4)),
    ],
)
def test_floats_are_uniform(name: str, to_unit: Any) -> None:
    """Kolmogorov-Smirnov: P(D > d) <= 2 exp(-2 n d^2) (Massart); d = 0.0605 gives 9e-7."""
    assert kolmogorov([to_unit(config[name]) for config in draws()]) < 0.0605


@pytest.mark.parametrize(
    ("name", "values", "bound"),
    [
        (
            "stepped",
            [0.0, 0.25, 0.5, 0.75, 1.0],
            33.4,
        ),  # chi-square quantile at 1 - 1e-6: 4 degrees of freedom
        ("even", list(range(2, 21, 2)), 45.1),  # 9 degrees of freedom
        ("kind", ["a", "b", None, 4], 30.7),  # 3 degrees of freedom
    ],
)
def test_discrete_values_are_equally_likely(name: str, values: list[Any], bound: float) -> None:
    assert chi_square([config[name] for config in draws()], dict.fromkeys(values, 1 / len(values))) < bound


def test_log_integers_have_equal_ratios() -> None:
    """P(k) = log((k + 1/2) / (k - 1/2)) / log(1000.5 / 0.5): 1 … 9, 10 … 99, 100 … 1000."""

    def cell(k: int) -> int:
        return k if k < 10 else 10 ** int(math.log10(k) + 1e-9)

    expected: Counter[int] = Counter()
    for k in range(1, 1001):
        expected[cell(k)] += math.log((k + 0.5) / (k - 0.5)) / math.log(1000.5 / 0.5)  # type: ignore[assignment]
    expected[100] += expected.pop(1000)
    found = [min(cell(config["wide"]), 100) for config in draws()]
    assert chi_square(found, dict(expected)) < 47.0  # 10 degrees of freedom: 11 cells


def test_conditional_parameters_exist_in_half_of_the_trials() -> None:
    """Binomial(2000, 1/2): standard deviation 22.4; 5 sigma = 112 fails with p = 6e-7."""
    deep = [config["deep"] for config in draws() if "deep" in config]
    assert abs(len(deep) - N / 2) < 112
    assert kolmogorov(deep) < 0.0908  # 2 exp(-2 n d^2) = 9e-7 at n = 888, the fewest allowed above


def test_parameters_are_independent() -> None:
    """The correlation of n independent pairs has standard deviation 1 / sqrt(n) = 0.0224; 5 sigma = 0.112."""
    columns = [[float(config[name]) for config in draws()] for name in ("linear", "stepped", "even")]
    columns.append([math.log(config["rate"]) for config in draws()])
    columns.append(columns[0][1:] + columns[0][:1])  # the next trial's value

    def correlation(a: list[float], b: list[float]) -> float:
        ma, mb = sum(a) / N, sum(b) / N
        cov = sum((x - ma) * (y - mb) for x, y in zip(a, b, strict=True))
        return cov / math.sqrt(sum((x - ma) ** 2 for x in a) * sum((y - mb) ** 2 for y in b))

    for i, a in enumerate(columns):
        for b in columns[:i]:
            assert abs(correlation(a, b)) < 0.112
