"""Waiting for something that may never answer, for a stated time.

A server that sends a byte now and then keeps every timeout of a connection from ending.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class NoAnswerError(Exception):
    """It did not end in time."""


def within(seconds: float, act: Callable[[], T]) -> T:
    """What `act` returns, or raises. Raises `NoAnswerError` after `seconds`; its thread ends by itself."""
    return _Call(act).wait(seconds)


def while_answering(silence: float, act: Callable[[Callable[[], None]], T]) -> T:
    """What `act` returns, or raises. It gets a function to call at every sign of life.

    Raises `NoAnswerError` when there was none for `silence` seconds; its thread then ends by itself.
    """
    last = [time.monotonic()]

    def beat() -> None:
        last[0] = time.monotonic()

    call = _Call(lambda: act(beat))
    while True:
        try:
            return call.wait(last[0] + silence - time.monotonic())
        except NoAnswerError:
            if time.monotonic() >= last[0] + silence:
                raise NoAnswerError(f"no answer within {silence:.0f} s") from None


class _Call(Generic[T]):
    """A call in a thread of its own, which no exit of the process waits for."""

    def __init__(self, act: Callable[[], T]) -> None:
        self._act = act
        self._answers: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()
        threading.Thread(target=self._work, name="within", daemon=True).start()

    def wait(self, seconds: float) -> T:
        """What the call returns, or raises."""
        try:
            answer, error = self._answers.get(timeout=max(seconds, 0.0))
        except queue.Empty:
            raise NoAnswerError(f"no answer within {seconds:.0f} s") from None
        if error is not None:
            raise error
        return answer  # type: ignore[return-value] # without an error it is what the call returned

    def _work(self) -> None:
        try:
            self._answers.put((self._act(), None))
        except BaseException as error:  # raised in the thread that waits
            self._answers.put((None, error))
