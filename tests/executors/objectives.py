"""Objectives with every kind of ending, imported by the executors' workers."""

from __future__ import annotations

import contextlib
import contextvars
import ctypes
import importlib
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

from automl.space import Float, Space

SPACE = Space({"x": Float(-10.0, 10.0)})


def good(config: dict[str, Any], context: Any) -> float:
    for step in range(1, 4):
        context.report(step, config["x"] + step, extra=float(step))
    context.artifact("note.txt").write_text("hello")
    return config["x"] * 2


def logs(config: dict[str, Any], context: Any) -> float:
    for step in range(1, 3):
        context.log(step, **{"part/a": float(step), "nan": float("nan")})
    context.report(3, config["x"])
    return config["x"]


_variable: contextvars.ContextVar[float] = contextvars.ContextVar("objectives")


def sets_context(config: dict[str, Any], context: Any) -> float:
    _variable.set(1.0)
    return _variable.get(0.0)


def has_context(config: dict[str, Any], context: Any) -> float:
    return _variable.get(0.0)


def thread(config: dict[str, Any], context: Any) -> float:
    return float(threading.get_ident())


def niceness(config: dict[str, Any], context: Any) -> float:
    return float(os.nice(0))


def raises(config: dict[str, Any], context: Any) -> float:
    raise ZeroDivisionError("no such luck")


def not_a_number(config: dict[str, Any], context: Any) -> float:
    return float("nan")


def minus_infinity(config: dict[str, Any], context: Any) -> float:
    return float("-inf")


def text(config: dict[str, Any], context: Any) -> Any:
    return "0.5"


def nothing(config: dict[str, Any], context: Any) -> None:
    return None


def memory(config: dict[str, Any], context: Any) -> float:
    raise MemoryError


def exits(config: dict[str, Any], context: Any) -> float:
    sys.exit(3)


def reports_nan(config: dict[str, Any], context: Any) -> float:
    context.report(1, float("nan"))
    return 1.0


def swallows(config: dict[str, Any], context: Any) -> float:
    """An objective with a broad `except` must still end when it is pruned."""
    for step in range(1, 100):
        with contextlib.suppress(Exception):
            context.report(step, 1.0)
    return 1.0


def wraps(config: dict[str, Any], context: Any) -> float:
    """As libraries do that call back from C."""
    for step in range(1, 100):
        try:
            context.report(step, 1.0)
        except BaseException as error:
            raise ValueError("not a valid buffer") from error
    return 1.0


def hangs(config: dict[str, Any], context: Any) -> float:
    while True:
        time.sleep(0.05)


def stops_itself(config: dict[str, Any], context: Any) -> float:
    os.kill(os.getpid(), signal.SIGSTOP)
    return 1.0


def dies_once(config: dict[str, Any], context: Any) -> float:
    found = context.checkpoint.load()
    step = found[0] if found else 0
    if step == 0:
        context.checkpoint.save(1, {"step": 1})
        context.report(1, 1.0)
        os.kill(os.getpid(), signal.SIGKILL)
    context.report(step + 1, 2.0)
    return float(step)


def always_dies(config: dict[str, Any], context: Any) -> float:
    os.kill(os.getpid(), signal.SIGKILL)
    return 1.0


def rests(config: dict[str, Any], context: Any) -> float:
    time.sleep(2)
    return 1.0


def sleeps(config: dict[str, Any], context: Any) -> float:
    time.sleep(20)
    return 1.0


def computes(config: dict[str, Any], context: Any) -> float:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        pass
    return 1.0


def collects(config: dict[str, Any], context: Any) -> float:
    """The first interruption arrives where Python drops what is raised: in a finaliser."""

    class Kept:
        def __del__(self) -> None:
            computes(config, context)

    Kept()
    return computes(config, context)


def drops(config: dict[str, Any], context: Any) -> float:
    class Kept:
        def __del__(self) -> None:
            raise ValueError("dropped")

    Kept()
    return 1.0


def swallows_once(config: dict[str, Any], context: Any) -> float:
    with contextlib.suppress(BaseException):
        time.sleep(20)
    time.sleep(20)
    return 1.0


def swallows_all(config: dict[str, Any], context: Any) -> float:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with contextlib.suppress(BaseException):
            time.sleep(20)
    return 1.0


def waits_for_a_process(config: dict[str, Any], context: Any) -> float:
    subprocess.run(["sleep", "20"], check=True)
    return 1.0


def sleeps_in_c(config: dict[str, Any], context: Any) -> float:
    """A C call that holds the interpreter's lock: no Python code runs in its process."""
    ctypes.PyDLL(None).sleep(20)
    return 1.0


def prints(config: dict[str, Any], context: Any) -> float:
    sys.stdout.write("from Python\n")
    os.system("echo from C")
    context.report(1, 1.0)
    return 1.0


def takes_memory(config: dict[str, Any], context: Any) -> float:
    return float(len(bytearray(512 * 2**20)))


def swallows_interrupts(config: dict[str, Any], context: Any) -> float:
    with contextlib.suppress(BaseException):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)
    return 1.0


def imports(config: dict[str, Any], context: Any) -> float:
    importlib.import_module("imported_slowly")
    time.sleep(20)
    return 1.0


def looks_for_a_checkpoint(config: dict[str, Any], context: Any) -> float:
    assert context.checkpoint.load() is None
    return 1.0


def reports_on(config: dict[str, Any], context: Any) -> float:
    """Reports again and again, until it is ended."""
    for step in range(1, 500):
        context.report(step, 1.0)
        time.sleep(0.02)
    return 1.0


def which_process(config: dict[str, Any], context: Any) -> float:
    time.sleep(1.0)
    return float(os.getpid())


def saves_steps(config: dict[str, Any], context: Any) -> float:
    """Five reports, each followed by a checkpoint."""
    found = context.checkpoint.load()
    for step in range(1 + (found[0] if found else 0), 6):
        time.sleep(0.7)
        context.report(step, 1.0, process=float(os.getpid()))
        context.checkpoint.save(step, {})
    return 1.0


def out_of_device_memory(config: dict[str, Any], context: Any) -> float:
    raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB")
