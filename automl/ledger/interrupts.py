"""Ctrl-C waits for the end of a transaction, since an interrupt inside one may leave the database locked.

So it does while the process forks: Python's own hooks there take locks, and an exception in one of them is
dropped with the lock still held. One that is dropped elsewhere, in a `__del__`, is sent again. A second one
ends the process at once: what the ledger has acknowledged is safe.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_open = 0  # transactions of the main thread, the only one that signals interrupt
_waiting = False  # an interrupt for their end
_asked: float | None = None  # the monotonic time of the first interrupt
AGAIN: Final = 0.3  # seconds: what comes earlier is the same interrupt, sent to a process and to its group
SOON: Final = 0.02  # seconds until a dropped interrupt is sent again
_leave = os._exit  # trials may find another one in its place
_sent_again = False  # the next interrupt is an earlier one
_arrived = int(signal.SIGINT)  # the signal of the last one
_bell: int | None = None  # where a byte asks to send it again


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
    _hang_bell()
    before = {number: signal.signal(number, _interrupt) for number in numbers}
    dropped, sys.unraisablehook = sys.unraisablehook, _dropped(sys.unraisablehook)
    try:
        yield
    finally:
        sys.unraisablehook = dropped
        for number, handler in before.items():
            signal.signal(number, handler)


def ends_with_terminal() -> bool:
    """Whether this process ends when its terminal closes: not under nohup."""
    return signal.getsignal(signal.SIGHUP) is signal.SIG_DFL


def _interrupt(number: int, _frame: FrameType | None) -> None:
    global _waiting, _asked, _sent_again, _arrived
    now, again = time.monotonic(), _sent_again
    _sent_again, _arrived = False, number
    if _asked is not None and now - _asked > AGAIN and not again:
        os.write(2, b"interrupted again: ends at once; the same command continues\n")
        _leave(130)
    _asked = now if _asked is None else _asked
    if not _open:
        raise KeyboardInterrupt
    _waiting = True


# --- sending one again ------------------------------------------------------------------------------


def _hang_bell() -> None:
    """Start the thread that sends an interrupt again, once: a handler must not start one."""
    global _bell
    if _bell is None:
        heard, _bell = os.pipe()
        threading.Thread(target=_listen, args=(heard,), name="interrupts", daemon=True).start()


def _listen(heard: int) -> None:
    main = threading.main_thread().ident
    while os.read(heard, 1) and main is not None:
        time.sleep(SOON)  # the main thread has left the place where exceptions are dropped
        signal.pthread_kill(main, _arrived)


def _ring() -> None:
    global _sent_again
    if _bell is not None:
        _sent_again = True
        os.write(_bell, b"!")


def _dropped(show: Callable[[sys.UnraisableHookArgs], object]) -> Callable[[sys.UnraisableHookArgs], object]:
    """What is called for an exception that Python drops: an interrupt is sent again, others are shown."""

    def hook(found: sys.UnraisableHookArgs) -> object:
        if not issubclass(found.exc_type, KeyboardInterrupt):
            return show(found)
        _ring()
        return None

    return hook


def _in_main() -> bool:
    return threading.get_ident() == threading.main_thread().ident


def _before_fork() -> None:
    global _open
    if _in_main():
        _open += 1


def _after_fork() -> None:
    global _open, _waiting
    if _in_main():
        _open -= 1
        if _waiting and not _open:
            _waiting = False
            _ring()  # to raise it here would drop it


def _in_child() -> None:
    global _open, _waiting, _bell
    _open, _waiting, _bell = max(0, _open - 1), False, None


# later hooks run first before a fork, and last after it: around those that take locks
os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_in_child)
