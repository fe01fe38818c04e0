"""What a program and its trials print, with secrets masked: where a daemon keeps it in a store."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
from collections.abc import Iterator
from typing import Final

from automl.masking import mask_text

TOGETHER: Final = 0.1  # seconds: what comes sooner belongs together, such as the lines of a key
MOST: Final = 1 << 20  # bytes that are kept back at most
DESCRIPTORS: Final = (1, 2)


@contextlib.contextmanager
def masked_output(wanted: bool) -> Iterator[None]:
    """Mask what this process and those that it starts write to standard output and error, when `wanted`."""
    if not wanted:
        yield
        return
    kept = [os.dup(number) for number in DESCRIPTORS]
    reading, writing = os.pipe()
    _point(writing)
    os.close(writing)
    ending = threading.Event()
    thread = threading.Thread(target=_pass_on, args=(reading, kept[0], ending), name="masking", daemon=True)
    thread.start()
    try:
        yield
    finally:
        _point(*kept)
        ending.set()  # a process that was started may still hold the pipe: its end is not waited for
        thread.join()
        for descriptor in (reading, *kept):
            os.close(descriptor)


def _point(*targets: int) -> None:
    """Let standard output and error lead to these descriptors, or both to one."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    for number, target in zip(DESCRIPTORS, targets * (1 if len(targets) > 1 else 2), strict=True):
        os.dup2(target, number)


def _pass_on(reading: int, target: int, ending: threading.Event) -> None:
    """Read until the end, and write what belongs together, masked."""
    waiting = b""
    while True:
        ready, _, _ = select.select([reading], [], [], TOGETHER)
        read = os.read(reading, 1 << 16) if ready else b""
        waiting += read
        if waiting and (not read or len(waiting) > MOST):
            _write(target, mask_text(waiting.decode(errors="backslashreplace")).encode())
            waiting = b""
        if not read and (ready or ending.is_set()):
            return


def _write(target: int, data: bytes) -> None:
    with contextlib.suppress(OSError):  # a full disk must not hold up who prints
        while data:
            data = data[os.write(target, data) :]
