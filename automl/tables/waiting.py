"""Fits that signals do not reach: what interrupts the thread that waits ends them between two rounds."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

WAIT: Final = 0.05  # seconds between two looks at signals


def in_thread(run: Callable[[threading.Event], None]) -> None:
    """Call `run(ended)` in a thread, which is to end soon once `ended` is set, and wait for it.

    An exception of a signal's handler, such as the end of a trial's time, must not arise inside libraries
    that call back from C: CatBoost 1.2 makes a KeyboardInterrupt of it, XGBoost 3.2 loses it.
    """
    ended, begun, done = threading.Event(), threading.Event(), threading.Event()
    failed: list[BaseException] = []

    def fit() -> None:
        begun.set()
        try:
            run(ended)
        except BaseException as error:  # raised again below
            failed.append(error)
        finally:
            done.set()

    # events, because Python 3.11 takes a thread whose `join` was interrupted for one that has ended
    try:
        threading.Thread(target=fit, name="fit").start()
        while not done.wait(WAIT):
            pass
    finally:
        ended.set()
        while begun.is_set() and not done.wait(WAIT):
            pass
    if failed:
        raise failed[0]
