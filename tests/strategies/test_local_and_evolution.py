"""Regularised evolution and local search: what they propose after which history."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise

import pytest
from histories import LOSS, SIZE

from automl.contracts import Config, Direction, Metric, PluginSpec, TrialState
from automl.space import Choice, Constraint, Int, Space
from automl.strategies.history import dominates
from automl.strategies.searcher import Searcher

GRID = Space({name: Int(0, 9) for name in "abcd"})


def height(config: Config) -> float:
    """A single valley at 7, 7, 7, 7."""
    return sum(abs(int(str(value)) - 7) for value in config.values())


def searcher(
    strategy: str, space: Space = GRID, metrics: tuple[Metric, ...] = (LOSS,), **options: object
) -> Searcher:
    return Searcher.build(space, PluginSpec(strategy, options), PluginSpec("none"), list(metrics), 0)


def play(search: Searcher, trials: int, value: Callable[[Config], float] = height) -> list[Config]:
    configs = []
    for number in range(trials):
        config = search.ask(number)
        assert config is not None
        search.tell(number, TrialState.COMPLETE, [value(config)])
        configs.append(config)
    return configs


def changes(a: Config, b: Config) -> int:
    return sum(a[name] != b[name] for name in a)


def test_a_child_is_the_best_of_the_living_with_one_change() -> None:
    """With a sample this large the parent is always the best of the last 5."""
    configs = play(searcher("regularized_evolution", population=5, sample=200), 60)
    for number in range(5, 60):
        living = configs[number - 5 : number]
        least = min(map(height, living))
        assert any(changes(configs[number], parent) == 1 for parent in living if height(parent) == least)
    assert min(map(height, configs)) == 0


def test_the_oldest_dies_however_good_it_is() -> None:
    search = searcher("regularized_evolution", population=3, sample=50)
    best: Config = {"a": 7, "b": 7, "c": 7, "d": 7}
    far: list[Config] = [{**best, **dict.fromkeys(names, 0)} for names in ("ab", "abc", "abcd")]
    for number, config in enumerate([best, *far]):
        search.ask(number)
        search._history.open(number, config, {})
        search.tell(number, TrialState.COMPLETE, [height(config)])
    child = search.ask(4)
    assert child is not None
    assert changes(child, far[0]) == 1, "the best of the living is the parent, not the dead one"


def test_fills_with_random_ones_failures_leave_no_trace() -> None:
    search = searcher("regularized_evolution", population=2, sample=2)
    first = search.ask(0)
    assert first is not None
    search.tell(0, TrialState.FAILED, None)
    for number in (1, 2):
        assert search.ask(number) is not None
        search.tell(number, TrialState.PRUNED, None)
    assert search.ask(3) is not None, "pruned trials fill the population; without a parent, at random"
    search.tell(3, TrialState.COMPLETE, [1.0])
    parent, child = search._history.trials[3].config, search.ask(4)
    assert child is not None and changes(child, parent) == 1


@pytest.mark.slow
def test_with_two_metrics_no_dominated_one_of_the_sample_is_a_parent() -> None:
    metrics = (Metric("accuracy", Direction.MAXIMIZE), SIZE)
    search = searcher("regularized_evolution", metrics=metrics, population=6, sample=200)
    rng, told = random.Random(0), list[tuple[Config, tuple[float, float]]]()
    for number in range(60):
        config = search.ask(number)
        assert config is not None
        if number >= 6:
            living = told[-6:]
            front = [c for c, v in living if not any(dominates(w, v) for _, w in living)]
            assert any(changes(config, parent) == 1 for parent in front)
        values = [-height(config) + rng.random(), float(sum(int(str(v)) for v in config.values()))]
        search.tell(number, TrialState.COMPLETE, values)
        told.append((config, (-values[0], values[1])))


def test_a_space_with_nothing_to_mutate_repeats_itself() -> None:
    one = Space({"a": Int(3, 3)})
    assert play(searcher("regularized_evolution", one, population=1), 4, lambda _: 0.0) == [{"a": 3}] * 4


def neighbours(config: Config) -> set[str]:
    return {GRID.digest(other) for other in GRID.neighbours(config)}


def test_looks_at_all_neighbours_then_moves_to_the_best() -> None:
    configs = play(searcher("local_search"), 300)
    centre, number = configs[0], 1
    while height(centre) > 0:
        new = neighbours(centre) - {GRID.digest(config) for config in configs[:number]}
        looked = configs[number : number + len(new)]
        assert {GRID.digest(config) for config in looked} == new
        number += len(new)
        known = [config for config in configs[:number] if GRID.digest(config) in neighbours(centre)]
        assert min(map(height, known)) < height(centre)
        centre = min(known, key=height)
    digests = [GRID.digest(config) for config in configs]
    assert len(set(digests)) == len(digests), "nothing is evaluated twice"
    rest = configs[number + len(neighbours(centre)) :]
    assert any(changes(a, b) > 1 for a, b in pairwise(rest)), "it starts anew"


def test_first_improvement_moves_at_once_and_gets_there_sooner() -> None:
    first, best = (play(searcher("local_search", improvement=how), 150) for how in ("first", "best"))
    ends = [next(n for n, config in enumerate(configs) if height(config) == 0) for configs in (first, best)]
    assert ends[0] < ends[1]
    centre = first[0]
    for config in first[1 : ends[0]]:
        assert changes(config, centre) == 1
        centre = config if height(config) < height(centre) else centre


def test_starts_anew_at_a_local_optimum_and_from_the_best_start() -> None:
    """Everything is an optimum: each climb is a start and its four neighbours in a plane."""
    plane = Space({"a": Int(0, 99), "b": Int(0, 99)})
    rng = random.Random(0)
    worse: dict[str, float] = {}

    def value(config: Config) -> float:
        return worse.setdefault(plane.digest(config), len(worse) + rng.random())

    configs = play(searcher("local_search", plane), 40, value)
    centre, left = configs[0], 0
    for config in configs[1:]:
        near = [plane.digest(other) for other in plane.neighbours(centre)]
        if left == len(near):
            centre, left = config, 0
        else:
            assert plane.digest(config) in near
            left += 1


def test_parallel_workers_lose_no_improvement() -> None:
    """While the last neighbours are open a worker gets a random start; what they find still counts."""
    line = Space({"a": Int(0, 1000)})
    search = searcher("local_search", line)
    start = search.ask(0)
    assert start is not None
    spare = search.ask(1)
    assert spare is not None and spare != start
    search.tell(1, TrialState.FAILED, None)
    search.tell(0, TrialState.COMPLETE, [float(str(start["a"]))])
    near = [search.ask(2), search.ask(3)]
    assert {int(str(config["a"])) for config in near if config} == {int(str(start["a"])) + d for d in (-1, 1)}
    random_one = search.ask(4)
    assert random_one is not None and abs(int(str(random_one["a"])) - int(str(start["a"]))) > 1
    for number, config in enumerate(near, 2):
        assert config is not None
        search.tell(number, TrialState.COMPLETE, [float(str(config["a"]))])
    search.tell(4, TrialState.COMPLETE, [0.0])
    following = search.ask(5)
    assert following == {"a": int(str(start["a"])) - 2}, "down from the better neighbour, not from the start"


def test_a_space_that_is_all_seen_still_gets_proposals() -> None:
    small = Space(
        {"a": Choice(("x", "y")), "b": Choice((1, 2))},
        constraints=[Constraint(lambda c: c != {"a": "y", "b": 2}, "not both")],
    )
    for strategy in ("local_search", "regularized_evolution"):
        configs = play(searcher(strategy, small), 20, lambda config: float(str(config["b"])))
        assert {(config["a"], config["b"]) for config in configs} == {("x", 1), ("x", 2), ("y", 1)}


@pytest.mark.parametrize(
    ("strategy", "options"),
    [("regularized_evolution", {"population": 10, "sample": 5}), ("local_search", {"improvement": "first"})],
)
def test_better_than_random_search_in_a_valley(strategy: str, options: dict[str, object]) -> None:
    """Of 10^4 points 9 are below 2: 100 random ones hit them with p = 0.09, and 5 of 8 searches with 3e-4."""
    found = []
    for seed in range(8):
        search = Searcher.build(GRID, PluginSpec(strategy, options), PluginSpec("none"), [LOSS], seed)
        found.append(min(map(height, play(search, 100))))
    assert sorted(found)[4] < 2
