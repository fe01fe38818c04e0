"""Ctrl-C waits for the end of a transaction, since an interrupt inside one may leave the database locked.

A second one ends the process at once: what the ledger has acknowledged is safe.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_open = 0  # transactions of the main thread, the only one that signals interrupt
_waiting = False  # an interrupt for their end
_asked: float | None = None  # the monotonic time of the first interrupt
AGAIN: Final = 0.3  # seconds: what comes earlier is the same interrupt, sent to a process and to its group
_leave = os._exit  # trials may find another one in its place


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
    """Ctrl-C, SIGTERM and a closed terminal raise `KeyboardInterrupt`, but never inside a transaction.

    Main thread only.
    """
    global _asked
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _asked = None
    numbers = [signal.SIGTERM]
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not one that nohup ignores
        numbers.append(signal.SIGINT)
    if ends_with_terminal():
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, _interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ends_with_terminal() -> bool:
    """Whether this process ends when its terminal closes: not under nohup."""
    return signal.getsignal(signal.SIGHUP) is signal.SIG_DFL


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    global _waiting, _asked
    now = time.monotonic()
    if _asked is not None and now - _asked > AGAIN:
        os.write(2, b"interrupted again: ends at once; the same command continues\n")
        _leave(130)
    _asked = now if _asked is None else _asked
    if not _open:
        raise KeyboardInterrupt
    _waiting = True
