"""SPOS: uniform single paths, weights off the path untouched, and an evolution that finds a planted best."""

from __future__ import annotations

import random
from collections import Counter

import pytest
import torch
from toy_supernet import EDGES, OPERATIONS, SPACE, FakeSelection, batch, build

from automl.contracts import Config
from automl.space import Choice, Constraint, Space
from automl.supernets.base import Mixture
from automl.supernets.spos import Evolution, Spos, SposOptions

LONG = Space({f"layer_{number}": Choice(list("abcdef")) for number in range(8)})  # 1.7 million
TREE = Space(
    {
        "kind": Choice(["short", "long"]),
        "size": Choice([1, 2, 3]),
        "extra": Choice(list("abcdef"), when={"kind": ["long"]}),
    },
    constraints=[Constraint(lambda config: (config["size"], config["kind"]) != (3, "short"), "no short 3")],
)


def test_paths_are_drawn_uniformly() -> None:
    """27 paths, 2,700 draws; Pearson's χ² with 26 degrees of freedom exceeds 54.1 once in 1,000 seeds."""
    method = build(Spos)
    counts: Counter[tuple[int, ...]] = Counter()
    for _ in range(2700):
        strengths, active = method.mixture()
        assert active is not None and torch.equal(strengths, active.double())
        assert active.sum(1).tolist() == [1, 1, 1]
        counts[tuple(active.int().argmax(1).tolist())] += 1
    assert len(counts) == 27
    assert sum((count - 100) ** 2 / 100 for count in counts.values()) < 54.1


def test_only_the_drawn_path_is_trained() -> None:
    """Neither a gradient nor weight decay nor momentum moves what is off the path."""
    method = build(Spos, weight_decay=0.1)
    for number in range(4):
        method.weight_step(batch(number))
    for number in range(10):
        state = method.generator.get_state()
        active = method.mixture().active
        method.generator.set_state(state)
        before = [layer.weight.detach().clone() for layer in method.supernet.maps]
        method.weight_step(batch(number))
        assert active is not None
        moved = [
            not torch.equal(old, layer.weight)
            for old, layer in zip(before, method.supernet.maps, strict=True)
        ]
        on = active[:, 1:].flatten().tolist()
        assert not any(change and not there for change, there in zip(moved, on, strict=True))


def test_there_are_no_architecture_parameters() -> None:
    method = build(Spos)
    assert method.architecture == {}
    loss, logits = method.alpha_step(batch(1), batch(2))
    assert torch.isfinite(loss) and logits.shape == (12, 3) and not logits.requires_grad
    assert torch.allclose(method.strengths(), torch.full((3, 3), 1 / 3, dtype=torch.float64))
    space = SPACE.narrow({"edge_0_1": ["tanh"], "edge_0_2": ["none", "norm"]})
    assert build(Spos, space=space).strengths()[:2].tolist() == [[0, 1, 0], [0.5, 0, 0.5]]


def evolve(space: Space, score: object, seed: int = 0, **options: int) -> tuple[Config, Evolution]:
    evolution = Evolution(SposOptions.model_validate(options), space, random.Random(seed))
    return evolution.run(score), evolution  # type: ignore[arg-type]


def matches(config: Config) -> float:
    return sum(value == "c" for value in config.values()) / 8


@pytest.mark.parametrize("seed", range(3))
def test_evolution_finds_a_planted_best_configuration(seed: int) -> None:
    """One in 1.7 million, among 1,000 scores: chance would find it once in 1,700 searches."""
    best, evolution = evolve(LONG, matches, seed)
    assert best == dict.fromkeys(LONG.parameters, "c")
    assert len(evolution.scored) <= 1000
    scores = [score for score, _ in evolution.scored]
    assert scores == sorted(scores, reverse=True)


def test_evolution_depends_on_its_generator_alone() -> None:
    found = [evolve(LONG, matches, seed, generations=2)[1].scored for seed in (1, 1, 2)]
    assert found[0] == found[1] != found[2]


def test_no_configuration_is_scored_twice_and_all_are_valid() -> None:
    seen: list[Config] = []

    def score(config: Config) -> float:
        TREE.check(config)
        seen.append(config)
        return float(config["size"] == 2) + float(config.get("extra") == "d")

    best, _ = evolve(TREE, score, population=6, generations=10, parents=3)
    assert best == {"kind": "long", "size": 2, "extra": "d"}
    assert len({repr(config) for config in seen}) == len(seen)


def test_children_come_from_the_best() -> None:
    _, evolution = evolve(LONG, matches, population=20, generations=1, parents=2)
    parents = [config for _, config in evolution.scored[:2]]
    for _ in range(30):
        child = evolution.crossover()
        assert all(child[name] in {parent[name] for parent in parents} for name in child)
        mutant = evolution.mutant()
        assert min(sum(mutant[name] != parent[name] for name in mutant) for parent in parents) == 1


def test_time_ends_the_evolution() -> None:
    left = iter(range(30))
    best, evolution = evolve(LONG, lambda config: matches(config) if next(left, None) is not None else None)
    assert len(evolution.scored) == 30 and evolution.scored[0] == (matches(best), best)
    nothing, evolution = evolve(LONG, lambda _: None)
    LONG.check(nothing)
    assert evolution.scored == []


def test_a_space_of_one_configuration() -> None:
    config = dict.fromkeys(SPACE.parameters, "tanh")
    assert evolve(SPACE.fix(config), lambda _: 0.5)[0] == config


def test_selection_scores_paths_with_the_shared_weights() -> None:
    method, planted = build(Spos), ["norm", "tanh", "norm"]

    def score(mixture: Mixture) -> float:
        assert mixture.active is not None and torch.equal(mixture.strengths, mixture.active.double())
        columns = [OPERATIONS[column] for column in mixture.active.int().argmax(1).tolist()]
        return sum(one == other for one, other in zip(columns, planted, strict=True)) / 3

    selection = FakeSelection(score)
    assert method.select(selection) == dict(zip(EDGES, planted, strict=True))
    assert method.selected == {"paths_scored": 27, "path_accuracy": 1.0}
    assert selection.trained == []
    method.select(short := FakeSelection(score, seconds=5.0))
    assert len(short.asked) == 5 == method.selected["paths_scored"]
