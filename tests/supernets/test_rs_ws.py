"""RS-WS: the best of so many random paths, as far as time allows."""

from __future__ import annotations

import torch
from toy_supernet import OPERATIONS, SPACE, FakeSelection, build

from automl.supernets.base import Mixture
from automl.supernets.rs_ws import RsWs


def score(mixture: Mixture) -> float:
    assert mixture.active is not None and torch.equal(mixture.strengths, mixture.active.double())
    places = mixture.active.int().argmax(1).tolist()
    return sum(place * 3**row for row, place in enumerate(places)) / 26


def test_the_best_of_the_samples_is_selected() -> None:
    method, selection = build(RsWs, samples=12), FakeSelection(score)
    best = method.select(selection)
    scores = [score(mixture) for mixture in selection.asked]
    assert len(scores) == 12 and len(set(scores)) > 4
    assert score(method.path(best)) == max(scores)
    assert method.selected == {"paths_scored": 12, "path_accuracy": max(scores)}
    assert selection.trained == []


def test_time_bounds_the_samples() -> None:
    method, selection = build(RsWs), FakeSelection(score, seconds=7.5)
    best = method.select(selection)
    assert len(selection.asked) == 7 and score(method.path(best)) == max(map(score, selection.asked))
    method = build(RsWs)
    SPACE.check(method.select(FakeSelection(score, seconds=0.0)))
    assert method.selected == {"paths_scored": 0}


def test_samples_come_from_the_narrowed_space() -> None:
    space = SPACE.fix({"edge_0_2": "norm"})
    method, selection = build(RsWs, space=space, samples=20), FakeSelection(score, space)
    method.select(selection)
    column = OPERATIONS.index("norm")
    assert all(mixture.active is not None and mixture.active[1, column] for mixture in selection.asked)
    assert all(bool(mixture.active[1, column]) for mixture in (method.mixture() for _ in range(10)))  # type: ignore[index]
