"""A batch that the ranks divide: each runs the network on its rows, and all have the joint outputs.

A value is either *replicated*, the same on all ranks (weights, joint outputs, losses, and every gradient for
such a value), or *local* (activations of this rank's rows). Four functions lead from one to the other, two
pairs of adjoints, so that backward passes of any order are those of the joint batch:

    local rows → replicated: `_Gather`      replicated → local rows: `_Rows`
    local → replicated: `_Sum`              replicated → local: `_Copy`, the identity

Weights enter a shared pass as copies; so gradients are summed over the ranks where they are born, also the
first of two derivatives. A sum taken only at the end leaves out what ranks owe each other.
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
from torch.autograd import Function

from automl.ranks.group import Group, current

FEWEST = 2  # images for each rank: a batch norm of its own needs two; with fewer, all run the whole batch


@dataclass(frozen=True)
class Share:
    """This rank's `rows` of a joint batch of `count`. `synchronised`: norms take statistics over all of it."""

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
    """This rank's rows of `count`; None where all ranks take all of them, as there are too few to divide."""
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
    """What `run(rows, *replicated)` makes of the joint batch `x`: a tensor with a row for each of `x`, or a
    tuple of such.

    Each rank runs its own rows. What else is differentiated (weights) must enter by `replicated`: lists of
    tensors whose gradients are summed over the ranks, in one call for each list. Random numbers inside differ
    between ranks, but those drawn by `uniform` and `normal` are those of the joint batch.
    """
    rows = rows_of(len(x))
    if rows is None:
        return run(x, *replicated)
    own = Share(current(), len(x), rows, _synchronised.get())
    copies = [list(_Copy.apply(own.group, *tensors)) for tensors in replicated]  # type: ignore[no-untyped-call]
    with _shared(own, x.device):
        outputs = run(x[rows], *copies)
    if isinstance(outputs, Tensor):
        return _Gather.apply(own, outputs)  # type: ignore[no-untyped-call]
    return tuple(_Gather.apply(own, output) for output in outputs)  # type: ignore[no-untyped-call]


@contextmanager
def _shared(own: Share, device: torch.device) -> Iterator[None]:
    """The pass of one rank, with torch's generators seeded for it and put back as one rank would have them."""
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
    """Uniform numbers (N, *shape) for the N images of `like`: in a shared pass its rows of the joint draw."""
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
    (summed,) = _Sum.apply(group, local)  # type: ignore[no-untyped-call]
    (copy,) = _Copy.apply(group, summed)  # type: ignore[no-untyped-call]
    result: Tensor = copy
    return result


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
    found = {place: run(place) for place in range(min(group.rank, len(lengths) - 1), len(lengths), group.size)}
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


class _Copy(Function):
    """Replicated to local."""

    @staticmethod
    def forward(ctx: Any, group: Group, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.group = group
        ctx.set_materialize_grads(False)
        return tuple(tensor.view_as(tensor) for tensor in tensors)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        present = [gradient for gradient in gradients if gradient is not None]
        sums = iter(_Sum.apply(ctx.group, *present) if present else ())  # type: ignore[no-untyped-call]
        return None, *(None if gradient is None else next(sums) for gradient in gradients)


class _Sum(Function):
    """Local to replicated: the sums over the ranks."""

    @staticmethod
    def forward(ctx: Any, group: Group, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.group = group
        ctx.set_materialize_grads(False)
        sums = tuple(tensor.clone() for tensor in tensors)
        group.total_(sums)
        return sums

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        present = [gradient for gradient in gradients if gradient is not None]
        copies = iter(_Copy.apply(ctx.group, *present) if present else ())  # type: ignore[no-untyped-call]
        return None, *(None if gradient is None else next(copies) for gradient in gradients)


class _Gather(Function):
    """Local rows to all rows of all ranks, replicated."""

    @staticmethod
    def forward(ctx: Any, own: Share, rows: Tensor) -> Tensor:
        ctx.own = own
        joint = rows.new_zeros(own.count, *rows.shape[1:])
        joint[own.rows] = rows
        own.group.total_([joint])
        return joint

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor]:
        return None, _Rows.apply(ctx.own, gradients[0])  # type: ignore[no-untyped-call]


class _Rows(Function):
    """Replicated to the local rows."""

    @staticmethod
    def forward(ctx: Any, own: Share, joint: Tensor) -> Tensor:
        ctx.own = own
        return joint[own.rows].clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor]:
        return None, _Gather.apply(ctx.own, gradients[0])  # type: ignore[no-untyped-call]
