"""From a network that is too large to one near it that is not."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from automl.contracts import Bounds, Config
from automl.oneshot.within import SCORED, Within
from automl.space import Choice, Space

SIZES = {"none": 0.0, "small": 1.0, "large": 3.0}
SPACE = Space({name: Choice(tuple(SIZES)) for name in ("a", "b", "c", "d")})
ALL_LARGE: Config = dict.fromkeys(SPACE.parameters, "large")
WORTH = {"a": 8.0, "b": 4.0, "c": 2.0, "d": 1.0}  # how much the accuracy falls with a smaller operation there


def needs(config: Config) -> dict[str, float]:
    return {"parameters": sum(SIZES[str(one)] for one in config.values())}


def accuracy(config: Config) -> float:
    return sum(WORTH[name] * SIZES[str(one)] for name, one in config.items())


def search(most: float, left: Callable[[], float] = lambda: 1.0, **other: Any) -> Within:
    given = {"space": SPACE, "needs": needs, "score": accuracy, **other}
    return Within(bounds={"parameters": Bounds(at_most=most)}, left=left, **given)


def test_what_keeps_the_bounds_stays() -> None:
    assert search(12).nearest(ALL_LARGE) == (ALL_LARGE, 0)


def test_what_loses_least_is_changed_first() -> None:
    assert search(10).nearest(ALL_LARGE) == ({**ALL_LARGE, "d": "small"}, 1), "the best one that keeps them"
    found, steps = search(7).nearest(ALL_LARGE)
    assert (found, steps) == ({**ALL_LARGE, "c": "small", "d": "none"}, 2)
    best = max(
        (dict(zip(SPACE.parameters, each, strict=True)) for each in itertools.product(SIZES, repeat=4)),
        key=lambda config: (needs(config)["parameters"] <= 7, accuracy(config)),
    )
    assert accuracy(found) == accuracy(best), "here no other network is better"


def test_without_time_it_goes_the_shortest_way() -> None:
    def never(config: Config) -> float:
        raise AssertionError("no accuracy is asked for")

    found, steps = search(4, lambda: 0.0, score=never).nearest(ALL_LARGE)
    assert needs(found)["parameters"] <= 4 and steps == 3


def test_time_that_runs_out_leaves_what_was_best_so_far() -> None:
    times = iter([1.0, 1.0, 1.0])
    found, steps = search(9, lambda: next(times, 0.0)).nearest(ALL_LARGE)
    assert needs(found)["parameters"] <= 9 and steps == 1


def test_a_bound_out_of_reach_ends_at_the_nearest() -> None:
    found, steps = search(-1).nearest(ALL_LARGE)
    assert found == dict.fromkeys(SPACE.parameters, "none") and steps == 4


def test_a_step_scores_no_more_than_its_number() -> None:
    wide = Space({f"p{place}": Choice((*SIZES, "other")) for place in range(40)})
    asked = []

    def score(config: Config) -> float:
        asked.append(config)
        return 0.0

    large: Config = dict.fromkeys(wide.parameters, "large")
    sizes = {**SIZES, "other": 2.0}
    given: dict[str, Any] = {"space": wide, "score": score}
    given["needs"] = lambda config: {"parameters": sum(sizes[str(one)] for one in config.values())}
    found, steps = search(119, **given).nearest(large)
    assert steps == 1 and len(asked) == SCORED + 1 and given["needs"](found)["parameters"] <= 119
