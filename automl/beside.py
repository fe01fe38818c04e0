"""Work that is done again and again beside a block, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def beside(work: Callable[[], None], seconds: float, name: str) -> Iterator[None]:
    """Call `work` every so many `seconds` inside the block. What it raises would end the thread."""
    done = threading.Event()

    def again() -> None:
        while not done.wait(seconds):
            work()

    thread = threading.Thread(target=again, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
