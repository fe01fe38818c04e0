"""Which configurations may win a search, and which of them does."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest

from automl.contracts import Direction
from automl.selection import best_of, placed, selected, shares

UP, DOWN = Direction.MAXIMIZE, Direction.MINIMIZE


@dataclass(frozen=True)
class One:
    value: float
    key: str
    number: int = 0


def test_the_leaders_are_the_best_of_distinct_configurations() -> None:
    trials = [One(0.5, "a"), One(0.9, "b"), One(0.7, "a"), One(0.6, "c"), One(0.6, "d"), One(0.8, "b")]
    assert best_of(trials, 3, UP) == [One(0.9, "b"), One(0.7, "a"), One(0.6, "c")]
    assert best_of(trials, 3, DOWN) == [One(0.5, "a"), One(0.6, "c"), One(0.6, "d")]
    assert best_of(trials, 9, UP)[-1] == One(0.6, "d")
    assert best_of([], 3, UP) == []


def test_of_equal_trials_the_first_leads() -> None:
    first, second = One(0.5, "a", 0), One(0.5, "b", 1)
    assert best_of([first, second], 1, UP) == [first]
    assert best_of([first, One(0.5, "a", 1), second], 2, UP) == [first, second]


@pytest.mark.parametrize("top", [1, 2, 5])
@pytest.mark.parametrize("direction", [UP, DOWN])
def test_the_leaders_are_those_of_a_full_sort(top: int, direction: Direction) -> None:
    rng = random.Random(top)
    for _ in range(50):
        trials = [One(float(rng.randrange(6)), rng.choice("abcdefg"), number) for number in range(12)]
        sign = -1 if direction is UP else 1
        best: dict[str, One] = {}
        for trial in sorted(trials, key=lambda one: (sign * one.value, one.number)):
            best.setdefault(trial.key, trial)
        assert best_of(trials, top, direction) == list(best.values())[:top]


def test_placing_changes_no_list_that_was_given() -> None:
    leaders = [One(0.5, "a")]
    placed(leaders, One(0.7, "b"), 2, UP)
    assert leaders == [One(0.5, "a")]


def test_the_best_mean_is_selected_and_of_equal_means_the_better_of_the_search() -> None:
    leaders = [One(0.9, "a"), One(0.8, "b"), One(0.7, "c")]
    assert selected(leaders, {"a": [0.1, 0.3], "b": [0.6], "c": [0.5, 0.5]}, UP).key == "b"
    assert selected(leaders, {"a": [0.1, 0.3], "b": [0.6], "c": [0.5, 0.5]}, DOWN).key == "a"
    assert selected(leaders, {"a": [0.5], "b": [0.5], "c": [0.4, 0.6]}, UP).key == "a"


def test_what_has_no_value_is_not_selected_unless_nothing_has() -> None:
    leaders = [One(0.9, "a"), One(0.8, "b")]
    assert selected(leaders, {"a": [], "b": [0.1]}, UP).key == "b"
    assert selected(leaders, {}, UP).key == "a"


@pytest.mark.parametrize(
    ("values", "seeds", "expected"),
    [(6, 3, (3, 3)), (5, 3, (2, 3)), (3, 3, (1, 2)), (2, 1, (1, 1)), (1, 3, (0, 1)), (9, 2, (2, 2))],
)
def test_no_value_of_a_table_selects_and_is_reported(
    values: int, seeds: int, expected: tuple[int, int]
) -> None:
    assert shares(values, seeds) == expected
    assert sum(expected) <= values
