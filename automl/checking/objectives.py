"""Objectives with different ends, which workers import while an executor is checked."""

from __future__ import annotations

import contextlib
import math
import os
import random
import signal
import sys
import time

import numpy as np

from automl.contracts import Config, Context
from automl.space import Float, Space

LONGEST = 20.0  # seconds
LASTS = 0.1  # seconds
SPACE = Space({"x": Float(-10.0, 10.0)})


def good(config: Config, context: Context) -> float:
    """Reports three values and returns twice its parameter."""
    x = float(str(config["x"]))
    for step in range(1, 4):
        context.report(step, x + step)
    return 2 * x


def begins(config: Config, context: Context) -> float:
    """Returns the POSIX second at which it has begun, and lasts for `LASTS` seconds."""
    began = time.time()
    time.sleep(LASTS)
    return began


def raises(config: Config, context: Context) -> float:
    """Raises."""
    raise ZeroDivisionError("no such luck")


def exits(config: Config, context: Context) -> float:
    """Ends its process, or tries to."""
    sys.exit(3)


def not_a_number(config: Config, context: Context) -> float:
    """Returns no finite value."""
    return math.nan


def swallows(config: Config, context: Context) -> float:
    """Has a broad `except`, and must still end when it is pruned."""
    for step in range(1, 100):
        with contextlib.suppress(Exception):
            context.report(step, 1.0)
    return 1.0


def draws(config: Config, context: Context) -> float:
    """Draws from the generators that every trial finds seeded, slowly enough for others to run beside it."""
    drawn = 0.0
    for _ in range(5):
        time.sleep(0.02)
        drawn += random.random() + float(np.random.random())
    return drawn


def tells_process(config: Config, context: Context) -> float:
    """Returns the id of its process."""
    return float(os.getpid())


def dies(config: Config, context: Context) -> float:
    """Kills its process, as a node that is lost does; only for executors with workers of their own."""
    context.report(1, 1.0)
    os.kill(os.getpid(), signal.SIGKILL)
    return 0.0


def hangs(config: Config, context: Context) -> float:
    """Outlasts every deadline of the checks without a report; ends at last, so that no check hangs."""
    end = time.monotonic() + LONGEST
    while time.monotonic() < end:
        time.sleep(0.05)
    return 0.0
