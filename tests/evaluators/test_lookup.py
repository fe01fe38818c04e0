"""The evaluator `lookup`: values, costs and seeds of a table's rows, and options that do not fit it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toy_benchmark
from fake_context import ACCURACY, FakeContext
from toy_benchmark import CONFIG, ROW, ROWS

from automl.benchmarks import load_table
from automl.contracts import Direction, Metric, TaskOutline, UserError
from automl.evaluators.lookup import Lookup, LookupOptions
from automl.space import Choice, Space

TRUTH = toy_benchmark.arrays()
SIZE = Metric("size", Direction.MINIMIZE)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return toy_benchmark.write(tmp_path / "toy.npz")


def outline(*metrics: Metric) -> TaskOutline:
    return TaskOutline(metrics, has_data=False)


def lookup(path: Path, **options: Any) -> Lookup:
    given = {"file": str(path), "value": "value_3", "cost": "cost_3", **options}
    return Lookup(LookupOptions(**given))


def test_value_and_cost_are_those_of_the_row(file: Path, tmp_path: Path) -> None:
    context = FakeContext(tmp_path)
    result = lookup(file).evaluate(CONFIG, context)
    assert result.values == {"accuracy": TRUTH["value_3"][ROW]}
    assert context.charged == [TRUTH["cost_3"][ROW]]
    assert context.reports == [], "one step: nothing to prune by"


def test_steps_are_reported_with_what_they_cost_so_far(file: Path, tmp_path: Path) -> None:
    context = FakeContext(tmp_path)
    steps = {"value": {9: "value_3", 1: "value_1"}, "cost": {1: "cost_1", 9: "cost_3"}}
    result = lookup(file, **steps).evaluate(CONFIG, context)
    assert [(step, value) for step, value, _ in context.reports] == [
        (1, TRUTH["value_1"][ROW]),
        (9, TRUTH["value_3"][ROW]),
    ]
    assert context.charged == [TRUTH["cost_1"][ROW], TRUTH["cost_3"][ROW]]
    assert result.values["accuracy"] == TRUTH["value_3"][ROW]


def test_the_seed_picks_among_the_seeds_of_a_row(file: Path, tmp_path: Path) -> None:
    evaluator = lookup(file, value="noisy", fresh="fresh")
    seen = [
        evaluator.evaluate(CONFIG, FakeContext(tmp_path, seed=seed)).values["accuracy"] for seed in range(5)
    ]
    assert seen == [*TRUTH["noisy"][ROW], TRUTH["noisy"][ROW, 0]]
    seeds = TRUTH["fresh_seeds"][ROW]
    assert evaluator.fresh(CONFIG) == [seeds[0], seeds[2]]
    for seed, expected in ((0, seeds[0]), (1, seeds[2])):
        context = FakeContext(tmp_path, seed=seed, final=True)
        assert evaluator.evaluate(CONFIG, context).values["accuracy"] == expected
        assert context.charged == [0.0]


def test_without_a_column_by_seed_the_mean_counts_once(tmp_path: Path) -> None:
    file = toy_benchmark.write(tmp_path / "toy.npz", fresh_seeds=None)
    assert lookup(file, fresh="fresh").fresh(CONFIG) == [TRUTH["fresh"][ROW]]
    with pytest.raises(UserError, match="fresh must name a column"):
        lookup(file).fresh(CONFIG)


def test_further_metrics_come_from_columns(file: Path, tmp_path: Path) -> None:
    context = FakeContext(tmp_path, metrics=[ACCURACY, SIZE])
    result = lookup(file, metrics={"size": "value_1", "early": "value_2"}).evaluate(CONFIG, context)
    assert result.values == {"accuracy": TRUTH["value_3"][ROW], "size": TRUTH["value_1"][ROW]}
    assert result.metrics["early"] == TRUTH["value_2"][ROW]


def test_the_test_column_is_never_read(tmp_path: Path) -> None:
    sealed = np.array(["sealed"] * ROWS)  # reading it as numbers would fail
    file = toy_benchmark.write(tmp_path / "toy.npz", test=sealed, test_seeds=None)
    evaluator = lookup(file, fresh="fresh", test="test")
    assert evaluator.mistakes(load_table(str(file)).own_space(), outline(ACCURACY)) == []
    evaluator.evaluate(CONFIG, FakeContext(tmp_path))
    evaluator.evaluate(CONFIG, FakeContext(tmp_path, final=True))
    with pytest.raises(UserError, match="leaves none"):
        evaluator.score(tmp_path, None, None, [ACCURACY])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "option", "words"),
    [
        ({"file": "nowhere.npz"}, "file", "was not found"),
        ({"value": "value_9"}, "value", "known: cost_1"),
        ({"value": {1: "value_1", 2: "value_9"}}, "value", "got 'value_9'"),
        ({"cost": "config"}, "cost", "must be a column"),
        ({"cost": "negative"}, "cost", "above 0"),
        ({"cost": {3: "cost_3"}}, "cost", "the steps of value"),
        ({"value": {0: "value_1"}, "cost": {0: "cost_1"}}, "cost", "from 1 up"),
        (
            {"value": {1: "value_1", 2: "value_2"}, "cost": {1: "cost_2", 2: "cost_1"}},
            "cost",
            "'cost_1' is below 'cost_2' in row 0",
        ),
        ({"fresh": "words"}, "fresh", "must hold numbers"),
        ({"test": "test_9"}, "test", "must be a column"),
        ({"test": "short"}, "test", "must have the shape"),
        ({"test": "value_3"}, "test", "it is sealed"),
        ({"test": "test", "fresh": "test_seeds"}, "test", "it is sealed"),
        ({"metrics": {"size": "value_9"}}, "metrics", "must be a column"),
    ],
)
def test_options_that_do_not_fit_the_file(
    options: dict[str, Any], option: str, words: str, tmp_path: Path
) -> None:
    extra = {"negative": np.full(ROWS, -1.0), "short": np.zeros(3), "words": np.array(["x"] * ROWS)}
    file = toy_benchmark.write(tmp_path / "toy.npz", **extra)
    found = lookup(file, **options).mistakes(load_table(str(file)).own_space(), outline(ACCURACY))
    assert [name for name, _ in found] == [option]
    assert words in found[0][1]


def test_a_second_metric_needs_a_column_and_the_space_must_fit(file: Path) -> None:
    space = load_table(str(file)).own_space()
    assert [option for option, _ in lookup(file).mistakes(space, outline(ACCURACY, SIZE))] == ["metrics"]
    other = Space({"depth": Choice((1, 2))})
    ((option, text),) = lookup(file).mistakes(other, outline(ACCURACY))
    assert option == "file" and "must be those of the table" in text


def test_costs_by_seed_are_compared_seed_by_seed(tmp_path: Path) -> None:
    rising = np.arange(1.0, ROWS + 1)[:, None] * np.array([1.0, 100.0])
    file = toy_benchmark.write(tmp_path / "toy.npz", early=rising, late=rising + 1)
    steps = {"value": {1: "value_1", 2: "value_2"}, "cost": {1: "early", 2: "late"}}
    assert lookup(file, **steps).mistakes(load_table(str(file)).own_space(), outline(ACCURACY)) == []
