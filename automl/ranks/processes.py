"""A group of processes on one machine that reach each other over loopback."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed
from torch import Tensor

from automl.contracts import State
from automl.ranks.group import Group, LostGroupError

T = TypeVar("T")
dist: Any = torch.distributed  # its classes in C++ have no types
LOOPBACK = "127.0.0.1"
PATIENCE = 600.0  # seconds that a rank waits for the others; one that has died is noticed at once


def open_store() -> Any:
    """Where the ranks find each other: a port of loopback, kept by rank 0."""
    wait = timedelta(seconds=PATIENCE)
    return dist.TCPStore(LOOPBACK, 0, None, True, timeout=wait, wait_for_workers=False)


def find_store(port: int) -> Any:
    """The store that rank 0 has opened."""
    return dist.TCPStore(LOOPBACK, port, None, False, timeout=timedelta(seconds=PATIENCE))


class Processes(Group):
    """Ranks in processes: messages over gloo, tensors of a CPU too, those of GPUs over NCCL.

    Waits until all ranks are there. `patience`: seconds until a rank that does not answer counts as gone.
    """

    def __init__(
        self, store: Any, rank: int, size: int, *, cuda: bool = False, patience: float = PATIENCE
    ) -> None:
        self.rank, self.size = rank, size
        wait = timedelta(seconds=patience)
        options = dist.ProcessGroupGloo._Options()
        options._devices = [dist.ProcessGroupGloo.create_device(hostname=LOOPBACK)]
        options._timeout = wait
        with _telling():
            self._control = dist.ProcessGroupGloo(dist.PrefixStore("control", store), rank, size, options)
            self._tensors = self._control
            if cuda:
                torch.cuda.set_device(rank)
                nccl = dist.ProcessGroupNCCL.Options()
                nccl._timeout = wait
                self._tensors = dist.ProcessGroupNCCL(dist.PrefixStore("tensors", store), rank, size, nccl)

    def total_(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its sum over the ranks: one call for all of one type."""
        for kind in dict.fromkeys(tensor.dtype for tensor in tensors):
            chosen = [tensor for tensor in tensors if tensor.dtype == kind]
            flat = torch.cat([tensor.detach().reshape(-1) for tensor in chosen])
            with _telling():
                self._tensors.allreduce([flat]).wait()
            _take(chosen, flat)

    def broadcast_(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by that of rank 0."""
        for kind in dict.fromkeys(tensor.dtype for tensor in tensors):
            chosen = [tensor for tensor in tensors if tensor.dtype == kind]
            flat = torch.cat([tensor.detach().reshape(-1) for tensor in chosen])
            with _telling():
                self._tensors.broadcast(flat, 0).wait()
            _take(chosen, flat)

    def gathered(self, tensor: Tensor) -> list[Tensor]:
        """The tensors of all ranks, of equal shapes."""
        return self._gathered(self._tensors, tensor)

    def _gathered(self, through: Any, tensor: Tensor) -> list[Tensor]:
        found = [torch.empty_like(tensor) for _ in range(self.size)]
        with _telling():
            through.allgather([found], [tensor.contiguous()]).wait()
        return found

    def told_number(self, number: float) -> float:
        """The number of rank 0."""
        value = torch.tensor([number], dtype=torch.float64)
        with _telling():
            self._control.broadcast(value, 0).wait()
        return value.item()

    def told(self, data: T) -> T:
        """The plain JSON data of rank 0."""
        sent = _bytes(data) if self.rank == 0 else torch.empty(0, dtype=torch.uint8)
        length = int(self.told_number(len(sent)))
        sent = sent if self.rank == 0 else torch.empty(length, dtype=torch.uint8)
        with _telling():
            self._control.broadcast(sent, 0).wait()
        return data if self.rank == 0 else _data(sent)

    def told_state(self, state: State | None) -> State | None:
        """The state of rank 0, never unpickled."""
        buffer = io.BytesIO()
        if self.rank == 0:
            torch.save(state, buffer)
        length = int(self.told_number(buffer.tell()))
        sent = torch.frombuffer(bytearray(buffer.getvalue() or length), dtype=torch.uint8)
        with _telling():
            self._control.broadcast(sent, 0).wait()
        if self.rank == 0:
            return state
        found: State | None = torch.load(io.BytesIO(sent.numpy().tobytes()), "cpu", weights_only=True)
        return found

    def exchanged(self, data: T) -> list[T]:
        """The plain JSON data of all ranks."""
        sent = _bytes(data)
        lengths = [int(n) for n in self._gathered(self._control, torch.tensor([len(sent)]))]
        padded = torch.zeros(max(lengths), dtype=torch.uint8)
        padded[: len(sent)] = sent
        found = self._gathered(self._control, padded)
        return [_data(one[:length]) for one, length in zip(found, lengths, strict=True)]

    def abort(self) -> None:
        """Let calls that wait for another rank fail; called from another thread."""
        self._tensors.abort()


def _take(tensors: Sequence[Tensor], flat: Tensor) -> None:
    """Each tensor keeps its order in memory: the fused optimisers of torch 2.13 rely on it."""
    with torch.no_grad():
        for tensor, part in zip(tensors, torch.split(flat, [t.numel() for t in tensors]), strict=True):
            tensor.copy_(part.view(tensor.shape))


@contextmanager
def _telling() -> Iterator[None]:
    """Raise `LostGroupError` for what gloo and NCCL raise."""
    try:
        yield
    except RuntimeError as error:
        raise LostGroupError(f"another rank has gone or does not answer: {error}") from error


def _bytes(data: object) -> Tensor:
    return torch.frombuffer(bytearray(json.dumps(data).encode()), dtype=torch.uint8)


def _data(sent: Tensor) -> Any:
    return json.loads(sent.numpy().tobytes())
