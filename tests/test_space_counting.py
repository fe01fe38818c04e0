"""Counting, gridding and sampling a space of any kind ends after a bounded effort."""

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from automl.config import load_study, resolve
from automl.contracts import UserError
from automl.forecast import forecast
from automl.plugins import load
from automl.space import Choice, Constraint, Float, Int, Parameter, Space
from automl.strategies.grid import grid_configs


def graph(nodes: int, edge: Callable[[dict[str, int]], Parameter]) -> Space:
    """Nodes that are on or off, and edges that exist between two that are on."""
    parameters: dict[str, Parameter] = {f"n{i}": Choice((0, 1)) for i in range(nodes)}
    for i, j in itertools.combinations(range(nodes), 2):
        parameters[f"e{i}_{j}"] = edge({f"n{i}": 1, f"n{j}": 1})
    return Space(parameters)


@pytest.mark.parametrize("nodes", [3, 6, 10])
def test_a_graph_is_counted_exactly(nodes: int) -> None:
    space = graph(nodes, lambda when: Choice(("a", "b", "c"), when=when))
    by_nodes_on = (math.comb(nodes, on) * 3 ** math.comb(on, 2) for on in range(nodes + 1))
    assert space.count() == (sum(by_nodes_on), True)


@pytest.mark.slow
def test_a_large_graph_has_a_lower_bound() -> None:
    count = graph(18, lambda when: Choice(("a", "b", "c"), when=when)).count()
    truth = sum(math.comb(18, on) * 3 ** math.comb(on, 2) for on in range(19))
    assert 1e9 < count.value <= truth and not count.exact
    weak = graph(30, lambda when: Choice(("a",), when=when)).count()
    assert 1000 < weak.value <= 2**30 and not weak.exact


def test_a_graph_with_continuous_edges_is_continuous() -> None:
    assert graph(18, lambda when: Float(0.0, 1.0, when=when)).count() == (math.inf, True)


def test_very_many_parameters_are_counted() -> None:
    chain: dict[str, Parameter] = {"p0": Choice((0, 1))}
    chain |= {f"p{i}": Choice((0, 1), when={f"p{i - 1}": 1}) for i in range(1, 2000)}
    assert Space(chain).count() == (2001, True)
    assert Space({f"p{i}": Choice((0, 1)) for i in range(2000)}).count() == (1e300, False)


NEVER = [Constraint(lambda _: False, "never")]


@pytest.mark.slow
def test_a_grid_that_constraints_empty_is_refused_after_a_bounded_effort() -> None:
    space = Space({f"p{i}": Choice((0, 1)) for i in range(40)}, constraints=NEVER)
    grid = load("strategies", "grid")
    with pytest.raises(UserError, match="constraints leave 0 of the first 300000"):
        grid(grid.Options(points=2)).proposals(space)


def test_a_grid_with_a_tight_constraint_is_found() -> None:
    one = Constraint(lambda config: sum(int(str(value)) for value in config.values()) == 1, "one")
    space = Space({f"p{i}": Choice((0, 1)) for i in range(12)}, constraints=[one])
    grid = load("strategies", "grid")
    assert grid(grid.Options(points=2)).proposals(space) == 12


def test_grids_have_all_combinations_in_order() -> None:
    space = Space({"a": Int(1, 2), "b": Choice(("x", "y"), when={"a": 2}), "c": Int(1, 2)})
    assert list(grid_configs(space, 5)) == [
        {"a": 1, "c": 1},
        {"a": 1, "c": 2},
        {"a": 2, "b": "x", "c": 1},
        {"a": 2, "b": "x", "c": 2},
        {"a": 2, "b": "y", "c": 1},
        {"a": 2, "b": "y", "c": 2},
    ]
    deep = Space({f"p{i}": Choice((0,)) for i in range(2000)})
    assert len(list(grid_configs(deep, 5))) == 1


@pytest.mark.slow
def test_sampling_gives_up_after_a_bounded_effort() -> None:
    space = Space({f"p{i}": Float(0.0, 1.0) for i in range(1000)}, constraints=NEVER)
    with pytest.raises(UserError, match="none of 1000 random ones fits"):
        space.sample(random.Random(0))


def test_check_says_what_is_known_of_the_size(workspace: Path) -> None:
    (workspace / "graph_code.py").write_text(
        "from automl.space import Choice, Space\n"
        "nodes = {f'n{i}': Choice([0, 1]) for i in range(16)}\n"
        "edges = {f'e{i}_{j}': Choice([1, 2, 3], when={f'n{i}': 1, f'n{j}': 1})"
        " for i in range(16) for j in range(i)}\n"
        "SPACE = Space({**nodes, **edges})\n"
    )
    study = {
        "name": "graph",
        "task": {"metric": "loss", "direction": "minimize"},
        "space": "graph_code:SPACE",
        "evaluator": {"function": {"call": "graph_code:f"}},
        "budget": {"trials": 3},
        "executor": "local",
        "final": {"seeds": 0},
    }
    (workspace / "graph.yaml").write_text(json.dumps(study))
    cost = forecast(resolve(load_study(workspace / "graph.yaml")))
    assert not cost.space_counted and cost.space_size is not None and cost.space_size > 1e9
    assert any("from more than 10^" in line for line in cost.lines())
