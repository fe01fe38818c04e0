"""A batch that the ranks divide: each runs the network on its rows, and all have the joint outputs.

Gradients are those of the joint batch, in any order of differentiation (see `adjoints`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from automl.ranks.adjoints import copies, gather, summed
from automl.ranks.group import Group, current

FEWEST = 2  # images for each rank: a batch norm of its own needs two; with fewer, all run the whole batch


@dataclass(frozen=True)
class Share:
    """The `rows` of this rank in a joint batch of `count`.

    `synchronised`: batch norms take their statistics over all of it.
    """

    group: Group
    count: int
    rows: slice
    synchronised: bool
    generators: dict[torch.device, torch.Generator] = field(default_factory=dict)

    def generator(self, device: torch.device) -> torch.Generator:
        """What draws for the joint batch: equal on all ranks, and what one rank alone would have drawn by."""
        if device not in self.generators:
            self.generators[device] = torch.Generator(device)
            self.generators[device].set_state(_state(device))
        return self.generators[device]


_share: ContextVar[Share | None] = ContextVar("share", default=None)
_synchronised: ContextVar[bool] = ContextVar("synchronised", default=True)


def rows_of(count: int, fewest: int = FEWEST) -> slice | None:
    """The rows of this rank, of `count`; None where all take all of them: there are too few to divide."""
    group = current()
    if group.size == 1 or count < fewest * group.size:
        return None
    return slice(*(count * (group.rank + end) // group.size for end in (0, 1)))


def share() -> Share | None:
    """The share that the present forward pass computes; None for all of its batch."""
    return _share.get()


def synchronising() -> Share | None:
    """The share of the present pass, when its batch norms take the statistics of the joint batch."""
    own = share()
    return own if own is not None and own.synchronised else None


@contextmanager
def synchronised(value: bool) -> Iterator[None]:
    """Whether batch norms of shared passes inside take the statistics of the joint batch."""
    token = _synchronised.set(value)
    try:
        yield
    finally:
        _synchronised.reset(token)


def shared(run: Callable[..., Any], x: Tensor, *replicated: Sequence[Tensor]) -> Any:
    """What `run(rows, *replicated)` makes of the joint batch `x`: a row for each of `x`, or a tuple of such.

    Each rank runs its own rows. What else is differentiated (weights) must enter by `replicated`: lists of
    tensors whose gradients are summed over the ranks, in one call for each list. Random numbers inside differ
    between ranks, but those drawn by `uniform` and `normal` are those of the joint batch.
    """
    rows = rows_of(len(x))
    if rows is None:
        return run(x, *replicated)
    own = Share(current(), len(x), rows, _synchronised.get())
    values = [copies(own.group, tensors) for tensors in replicated]
    with _shared(own, x.device):
        outputs = run(x[rows], *values)
    if isinstance(outputs, Tensor):
        return gather(own, outputs)
    return tuple(gather(own, output) for output in outputs)


@contextmanager
def _shared(own: Share, device: torch.device) -> Iterator[None]:
    """The pass of one rank: torch's generators are seeded for it, then left as one rank would leave them."""
    devices = [torch.device("cpu")] + ([device] if device.type == "cuda" else [])
    seed = hashlib.sha256()
    for one in devices:
        seed.update(own.generator(one).get_state().numpy().tobytes())
    seed.update(str(own.group.rank).encode())
    torch.manual_seed(int.from_bytes(seed.digest()[:7], "big"))
    token = _share.set(own)
    try:
        yield
    finally:
        _share.reset(token)
        for one in devices:
            _set_state(one, own.generator(one).get_state())


def _state(device: torch.device) -> Tensor:
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def _set_state(device: torch.device, state: Tensor) -> None:
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    else:
        torch.set_rng_state(state)


def uniform(like: Tensor, *shape: int) -> Tensor:
    """Uniform numbers (N, *shape) for the N images of `like`; in a shared pass its rows of the joint draw."""
    return _drawn(torch.rand, like, shape, torch.get_default_dtype())


def normal(like: Tensor, *shape: int) -> Tensor:
    """Standard normal numbers, of the type of `like`."""
    return _drawn(torch.randn, like, shape, like.dtype)


def _drawn(draw: Callable[..., Tensor], like: Tensor, shape: Sequence[int], kind: torch.dtype) -> Tensor:
    own = share()
    if own is None or len(like) != own.rows.stop - own.rows.start:
        return draw(len(like), *shape, dtype=kind, device=like.device)
    generator = own.generator(like.device)
    return draw(own.count, *shape, dtype=kind, device=like.device, generator=generator)[own.rows]


def joint_moments(x: Tensor, own: Share) -> tuple[Tensor, Tensor]:
    """Variance and mean (C,) of local rows (N, C, …) over the joint batch, differentiable, for local use."""
    over = [0, *range(2, x.ndim)]
    number = own.count * x[0, 0].numel()
    mean = _everywhere(x.sum(over), own.group) / number
    centred = x - mean.view(-1, *[1] * (x.ndim - 2))
    return _everywhere(centred.square().sum(over), own.group) / number, mean


def _everywhere(local: Tensor, group: Group) -> Tensor:
    return copies(group, summed(group, [local]))[0]


def total(tensors: Iterable[Tensor]) -> list[Tensor]:
    """The sums over the ranks, detached."""
    group = current()
    found = list(tensors)
    if group.size == 1:
        return found
    sums = [tensor.detach().clone() for tensor in found]
    group.total_(sums)
    return sums


def divided(run: Callable[[int], Tensor], lengths: Sequence[int]) -> Tensor:
    """The tensors `run(0)`, `run(1)`, … of these `lengths`, one behind the other, divided among the ranks."""
    group = current()
    if group.size == 1 or len(lengths) == 1:
        return torch.cat([run(place) for place in range(len(lengths))])
    found = {
        place: run(place) for place in range(min(group.rank, len(lengths) - 1), len(lengths), group.size)
    }
    sample = next(iter(found.values()))
    joint = sample.new_zeros(sum(lengths), *sample.shape[1:])
    for place, part in found.items():
        if place % group.size == group.rank:
            start = sum(lengths[:place])
            joint[start : start + len(part)] = part
    group.total_([joint])
    return joint


def from_rank_0(network: nn.Module) -> None:
    """Give `network` the weights and statistics that rank 0 has made."""
    current().broadcast_(list(network.state_dict().values()))


def digest(tensors: Iterable[Tensor]) -> str:
    """Sha256 (hex) of the values of tensors, for `require_same`."""
    found = hashlib.sha256()
    for tensor in tensors:
        found.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()
