"""Very many rows make very many objects that live, and no cycles: Python looks for those seldom meanwhile."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

SELDOM: Final = 50_000  # new objects until Python looks again, instead of 700

_lock = threading.Lock()
_inside = 0  # threads
_before = (0, 0, 0)


@contextmanager
def seldom() -> Iterator[None]:
    """Let Python look for reference cycles seldom, in the whole process; also a decorator.

    A third of the time of reading 100,000 trials went into looking.
    """
    global _inside, _before
    with _lock:
        if _inside == 0:
            _before = gc.get_threshold()
            gc.set_threshold(SELDOM if _before[0] else 0, *_before[1:])
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                gc.set_threshold(*_before)
