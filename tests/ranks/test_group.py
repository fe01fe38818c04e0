"""Sums, data and decisions over two ranks; a rank that differs, and one that goes."""

from __future__ import annotations

import math
import threading

import pytest
import torch
from two_ranks import on_ranks

from automl.contracts import RunError
from automl.ranks import group
from automl.ranks.checkpoints import OfRank0
from automl.ranks.group import LostGroupError, agreed, current, decided, require_same, spread


def test_sums_are_the_same_and_keep_the_order_in_memory() -> None:
    def run() -> list[torch.Tensor]:
        rank = current().rank
        image = torch.full((2, 3, 4, 4), rank + 1.0).to(memory_format=torch.channels_last)
        number = torch.tensor(rank + 0.5, dtype=torch.float64)
        current().total_([image, number])
        assert image.is_contiguous(memory_format=torch.channels_last)
        return [image, number]

    for image, number in on_ranks(run, 3):
        assert bool((image == 6).all())
        assert number == 4.5


def test_decisions_and_measurements_are_those_of_rank_0() -> None:
    def run() -> tuple[object, ...]:
        rank = current().rank
        return (
            agreed(0.1 + rank),
            agreed(math.inf if rank == 0 else 1.0),
            decided({"edge": f"op-{rank}", "n": rank}),
            current().exchanged([rank] * rank),
        )

    first, second = on_ranks(run)
    assert first == second == (0.1, math.inf, {"edge": "op-0", "n": 0}, [[], [1]])


def test_items_are_divided_and_come_back_in_their_order() -> None:
    done: list[int] = []

    def run() -> list[int]:
        return spread(range(5), lambda item: done.append(item) or item * item)  # type: ignore[func-returns-value]

    assert on_ranks(run) == [[0, 1, 4, 9, 16]] * 2
    assert sorted(done) == [0, 1, 2, 3, 4], "each by one rank"


def test_a_different_digest_is_an_error_on_all_ranks() -> None:
    caught = []

    def run() -> None:
        require_same("architecture", "a")
        try:
            require_same("architecture", "ab"[current().rank])
        except RunError as error:
            caught.append(str(error))

    on_ranks(run)
    assert len(caught) == 2
    assert "all ranks must have the same architecture, but their digests are a, b" in caught[0]


def test_a_rank_that_goes_ends_the_others() -> None:
    def run() -> str:
        if current().rank == 1:
            return "gone"
        with pytest.raises(LostGroupError, match="another rank has gone"):
            current().total_([torch.zeros(2)])
        return "noticed"

    assert on_ranks(run) == ["noticed", "gone"]


def test_a_rank_that_does_not_answer_counts_as_gone() -> None:
    ended = threading.Event()

    def run() -> str:
        if current().rank == 1:
            ended.wait(20)
            return "silent"
        with pytest.raises(LostGroupError, match="does not answer"):
            agreed(current().exchanged(1.0)[0])
        ended.set()
        return "noticed"

    assert on_ranks(run, patience=0.3) == ["noticed", "silent"]


class Kept:
    """Checkpoints in memory."""

    def __init__(self) -> None:
        self.saved: list[tuple[int, dict[str, object]]] = []

    def save(self, step: int, state: dict[str, object]) -> None:
        self.saved.append((step, state))

    def load(self) -> tuple[int, dict[str, object]] | None:
        return self.saved[-1] if self.saved else None


def test_checkpoints_are_written_by_rank_0_and_read_for_all() -> None:
    kept = [Kept(), Kept()]

    def run() -> list[object]:
        folder = OfRank0(kept[current().rank])
        before = folder.load()
        folder.save(4, {"weights": torch.arange(3.0), "rate": 0.5, "names": ["a"]})
        found = folder.load()
        assert found is not None
        return [before, found[0], found[1]["weights"].tolist(), found[1]["rate"], found[1]["names"]]

    assert on_ranks(run) == [[None, 4, [0.0, 1.0, 2.0], 0.5, ["a"]]] * 2
    assert [len(one.saved) for one in kept] == [1, 0]


def test_a_rank_alone_is_itself() -> None:
    assert (current().rank, current().size) == (0, 1)
    assert group.spread([1, 2], str) == ["1", "2"]
    assert decided("x") == "x"
    require_same("nothing", "")
