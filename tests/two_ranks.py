"""Ranks as threads of one process, for tests of what they compute. They share torch's global generator."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import distributed as dist

from automl.ranks.group import within
from automl.ranks.processes import Processes

T = TypeVar("T")
PATIENCE = 20.0


def on_ranks(run: Callable[[], T], size: int = 2, patience: float = PATIENCE) -> list[T]:
    """What `run` returns on each of `size` ranks. Raises what a rank has raised."""
    store, found, errors = dist.HashStore(), dict[int, T](), list[BaseException]()

    def one(rank: int) -> None:
        group = None
        try:
            group = Processes(store, rank, size, patience=patience)
            with within(group):
                found[rank] = run()
        except BaseException as error:
            errors.append(error.with_traceback(None))
        del group  # the other ranks notice

    threads = [threading.Thread(target=one, args=(rank,)) for rank in range(size)]
    threads_before = torch.get_num_threads()
    torch.set_num_threads(1)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    torch.set_num_threads(threads_before)
    if errors:
        raise errors[0]
    return [found[rank] for rank in range(size)]
