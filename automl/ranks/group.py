"""The ranks that evaluate one trial together, as every part of an evaluation sees them.

All ranks run the same code with the same seeds: each draws what the joint batch needs, computes its share,
and takes the sum over all. What is measured (time, accuracies) may differ between ranks, so that what is
decided by it comes from rank 0. Nothing here imports torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

from automl.contracts import RunError, State

if TYPE_CHECKING:
    from torch import Tensor

S = TypeVar("S")
T = TypeVar("T")


class LostGroupError(RuntimeError):
    """Another rank has gone, or has not answered in time."""


class Group:
    """The ranks of a trial; this one is alone. Calls are made by all ranks, in the same order.

    `rank`: the number of this one, from 0; `size`: how many there are. Sums are the same on all ranks to the
    last bit. Raises `LostGroupError` when another rank has gone.
    """

    rank: int = 0
    size: int = 1

    def total_(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its sum over the ranks: one call for all of one type."""

    def gathered(self, tensor: Tensor) -> list[Tensor]:
        """The tensors of all ranks, of equal shapes."""
        return [tensor]

    def told(self, data: T) -> T:
        """The plain JSON data of rank 0."""
        return data

    def exchanged(self, data: T) -> list[T]:
        """The plain JSON data of all ranks."""
        return [data]

    def told_number(self, number: float) -> float:
        """The number of rank 0, by a shorter way than `told`."""
        return number

    def told_state(self, state: State | None) -> State | None:
        """The state of rank 0: tensors, numbers and strings in dicts and lists."""
        return state

    def broadcast_(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by that of rank 0."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Group:
        """Itself: a copied network trains with the same ranks."""
        return self


ALONE = Group()
_current: ContextVar[Group] = ContextVar("ranks", default=ALONE)


def current() -> Group:
    """The group of the trial that this thread evaluates."""
    return _current.get()


@contextmanager
def within(group: Group) -> Iterator[None]:
    """Evaluate a trial inside as a rank of `group`."""
    token = _current.set(group)
    try:
        yield
    finally:
        _current.reset(token)


def agreed(number: float) -> float:
    """What rank 0 has measured: a decision that follows from it is the same on all ranks."""
    return current().told_number(number)


def decided(data: T) -> T:
    """What rank 0 has decided, plain JSON data."""
    return current().told(data)


def require_same(what: str, digest: str) -> None:
    """Raise `RunError`, on all ranks, when the digest of `what` is not the same on all of them."""
    group = current()
    if group.size == 1:
        return
    found = group.exchanged(digest)
    if len(set(found)) > 1:
        raise RunError(
            f"all ranks must have the same {what}, but their digests are {', '.join(found)}; train with one "
            "rank, and look for random numbers that do not come from the seed of the trial"
        )


def spread(items: Iterable[S], run: Callable[[S], T]) -> list[T]:
    """`run` of each item, plain JSON data, in their order: the ranks divide the items, all get all."""
    group = current()
    own = [run(item) for place, item in enumerate(items) if place % group.size == group.rank]
    every = group.exchanged(own)
    count = sum(map(len, every))
    return [every[place % group.size][place // group.size] for place in range(count)]
