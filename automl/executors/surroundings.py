"""What a trial may change of its process, and what is put back after it.

Code of users changes the working folder, replaces `sys.stdout`, ends its process, or forks it. None of this
may reach the next trial, or the driver where trials run in its process.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from threading import current_thread, main_thread
from types import FrameType
from typing import NoReturn

from automl.private import private

_STREAMS = ("stdin", "stdout", "stderr")
_arrived: list[int] = []  # interrupting signals since the trial began
_watched = False  # a trial runs, and interrupts are noted
_process = os.getpid()  # the one that the trial runs in


class ProcessEnded(BaseException):
    """The evaluation called `os._exit` in the driver's process: it ends the trial, not the driver."""

    def __init__(self, code: object) -> None:
        super().__init__(code)
        self.code = code


@contextmanager
def kept() -> Iterator[None]:
    """Run a trial inside: working folder, streams, signal handlers, filters and the process itself are kept.

    So is whether torch records gradients. A copy of the process that the trial has forked ends here. Raises
    `KeyboardInterrupt` when the user interrupted the trial, whatever the trial made of it.
    """
    global _process
    _process = os.getpid()
    with ExitStack() as stack:
        stack.enter_context(_folder())
        stack.enter_context(_streams())
        stack.enter_context(_interpreter())
        stack.enter_context(_signals())
        stack.enter_context(_gradients())
        stack.enter_context(private())  # and whatever the trial makes of its umask
        try:
            yield
        except BaseException as error:
            if is_copy():
                _end_copy(error)
            raise
        if is_copy():
            _end_copy(None)
    if _arrived:
        raise KeyboardInterrupt


def interrupted() -> bool:
    """Whether a `KeyboardInterrupt` may be the user's: those reach the main thread only."""
    return current_thread() is main_thread()


def is_copy() -> bool:
    """Whether this process is one that the trial has forked."""
    return _watched and os.getpid() != _process


@contextmanager
def _folder() -> Iterator[None]:
    try:
        before = os.getcwd()  # noqa: PTH109 - for each trial: a path object takes ten times as long
    except FileNotFoundError:  # it is gone already
        yield
        return
    try:
        yield
    finally:
        if os.path.isdir(before):  # noqa: PTH112 - likewise
            os.chdir(before)


@contextmanager
def _streams() -> Iterator[None]:
    before = {name: vars(sys)[name] for name in _STREAMS}
    _flush()  # or a forked copy writes it once more
    try:
        yield
    finally:
        for name, stream in before.items():
            setattr(sys, name, stream)


@contextmanager
def _interpreter() -> Iterator[None]:
    """What decides whether a warning or a deep call is an error, in the driver too."""
    filters, depth = list(warnings.filters), sys.getrecursionlimit()
    try:
        yield
    finally:
        kept = [entry for entry in warnings.filters if entry[0] != "error" or entry in filters]
        if list(warnings.filters) != kept:
            warnings.filters[:] = kept  # type: ignore[index]  # a list, which typeshed shows as read-only
        sys.setrecursionlimit(depth)


@contextmanager
def _gradients() -> Iterator[None]:
    """Whether torch records what gradients need, in this thread: a trial may switch that off for good."""
    torch = sys.modules.get("torch")
    before = True if torch is None else torch.is_grad_enabled()  # as in every new thread
    try:
        yield
    finally:
        torch = sys.modules.get("torch")
        if torch is not None and torch.is_grad_enabled() != before:
            torch.set_grad_enabled(before)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError, OSError):  # replaced, closed, or its reader has gone
            stream.flush()


@contextmanager
def _signals() -> Iterator[None]:
    """Note interrupts on their way to the handler that is in force. They reach the main thread only."""
    global _watched
    _arrived.clear()
    _watched = True
    try:
        with _noted() if current_thread() is main_thread() else nullcontext():
            yield
    finally:
        _watched = False


@contextmanager
def _noted() -> Iterator[None]:
    def note(number: int, frame: FrameType | None) -> None:
        _arrived.append(number)
        handlers[number](number, frame)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    handlers = {int(number): handler for number, handler in before.items() if callable(handler)}
    for number in handlers:
        signal.signal(number, note)
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:  # one that C has set
                signal.signal(number, handler)


@contextmanager
def no_exit() -> Iterator[None]:
    """Turn `os._exit` into an exception, where the process is the driver's; copies of it really end."""
    leave, process = os._exit, os.getpid()

    def end(status: int) -> NoReturn:
        if os.getpid() == process:
            raise ProcessEnded(status)
        leave(status)

    os._exit = end
    try:
        yield
    finally:
        os._exit = leave


def _end_copy(error: BaseException | None) -> NoReturn:
    """End a copy of the process, which must not go on with the work of the original."""
    status = 0
    if isinstance(error, SystemExit):
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
    elif error is not None:
        status = 1
        traceback.print_exception(error)
    _flush()
    os._exit(status)
