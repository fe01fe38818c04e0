"""Ctrl-C waits for the end of a transaction, since an interrupt inside one may leave the database locked."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_open = 0  # transactions of the main thread, the only one that signals interrupt
_waiting = False  # an interrupt for their end


@contextmanager
def whole() -> Iterator[None]:
    """Delay an interrupt that `as_interrupts` handles until the end of this block."""
    global _open, _waiting
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _open += 1
    try:
        yield
    finally:
        _open -= 1
        if _waiting and not _open:
            _waiting = False
            raise KeyboardInterrupt


@contextmanager
def as_interrupts() -> Iterator[None]:
    """Ctrl-C and SIGTERM raise `KeyboardInterrupt`, but never inside a transaction. Main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [signal.SIGTERM]
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not one that nohup ignores
        numbers.append(signal.SIGINT)
    before = {number: signal.signal(number, _interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    global _waiting
    if not _open:
        raise KeyboardInterrupt
    _waiting = True
