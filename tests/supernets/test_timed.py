"""Nothing is begun that would probably end too late."""

from __future__ import annotations

import torch
from toy_supernet import FakeSelection

from automl.supernets.base import Mixture
from automl.supernets.timed import Timed

MIXTURE = Mixture(torch.ones(3, 3))


def test_work_ends_before_it_would_be_late() -> None:
    selection = FakeSelection(lambda _: 0.5, seconds=10.0, cost=3.0)
    timed = Timed(selection)
    assert [timed.accuracy(MIXTURE) for _ in range(5)] == [0.5, 0.5, 0.5, None, None]
    assert (selection.seconds, timed.scored) == (1.0, 3)


def test_kinds_of_work_have_times_of_their_own() -> None:
    selection = FakeSelection(lambda _: 0.5, seconds=10.0, cost=1.0)
    timed = Timed(selection)
    for _ in range(3):
        timed.train(4)
    assert (selection.trained, selection.seconds) == ([4, 4], 2.0)
    assert timed.accuracy(MIXTURE) == 0.5
    timed.train(0)
    assert selection.trained == [4, 4]


def test_scores_come_before_training() -> None:
    selection = FakeSelection(lambda _: 0.5, seconds=20.0, cost=3.0)
    timed = Timed(selection)
    timed.accuracy(MIXTURE)
    timed.train(2, scores=6)
    assert selection.trained == []  # 17 seconds hold five scores
    timed.train(2, scores=5)
    assert selection.trained == [2] and selection.seconds == 15
    timed.train(2, scores=5)
    assert selection.trained == [2]


def test_without_a_limit_all_is_done() -> None:
    selection = FakeSelection(lambda _: 0.5)
    timed = Timed(selection)
    for _ in range(20):
        timed.train(2)
        assert timed.accuracy(MIXTURE) == 0.5
    assert len(selection.trained) == timed.scored == 20
    assert Timed(FakeSelection(lambda _: 0.5, seconds=0.0)).accuracy(MIXTURE) is None
