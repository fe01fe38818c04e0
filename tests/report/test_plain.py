"""Typed objects become plain JSON."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest

from automl.contracts import Direction, Metric
from automl.report.plain import finite, plain
from automl.report.searches import Point


@dataclass(frozen=True)
class Example:
    values: tuple[float, ...]
    by_step: dict[int, Point]
    metric: Metric


def test_every_kind_of_value() -> None:
    example = Example((1.0, math.nan, math.inf), {3: Point(2.0, 0.5)}, Metric("loss", Direction.MINIMIZE))
    assert plain(example) == {
        "values": [1.0, None, None],
        "by_step": {"3": [2.0, 0.5]},
        "metric": {"name": "loss", "direction": "minimize"},
    }
    assert plain([None, True, 1, "a"]) == [None, True, 1, "a"]


def test_other_objects_are_refused() -> None:
    with pytest.raises(TypeError, match="dataclasses and JSON values, but got"):
        plain(object())


def test_only_finite_numbers_stay() -> None:
    assert [finite(value) for value in (1.5, math.nan, -math.inf, None)] == [1.5, None, None, None]
