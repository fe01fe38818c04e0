"""Signs of life: what open attempts have used, noted many times a second where they run.

A process that is killed leaves its last ones, by which interrupted trials pay: all by the clock of one
process, without the time that a worker took to start.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from automl.beside import beside

NAME: Final = "alive.json"
EVERY: Final = 0.05  # seconds: what a killed trial does not pay for, at most


class Signs:
    """Notes in `folder` what `seconds` tells, device-seconds by tokens of attempts, for the writer `token`.

    In place and unsynced: a killed process loses nothing of what it has written, and torn signs are none.
    The file is made with the first signs.
    """

    def __init__(self, folder: Path, token: int | str, seconds: Callable[[], Mapping[str, float]]) -> None:
        self._path, self._token, self._seconds = folder / NAME, token, seconds
        self._file: int | None = None
        self._length = 0
        self._closed = False
        self._lock = threading.Lock()

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note them in a thread of its own inside the block."""
        try:
            with beside(self.note, EVERY, "signs"):
                yield
        finally:
            self.close()

    def note(self) -> None:
        """Note them now if the disk has room, unless they are closed."""
        with self._lock, contextlib.suppress(OSError):  # a full disk ends trials, not the thread that notes
            if not self._closed:
                self.write()

    def close(self) -> None:
        """Note them a last time where some were noted, and nothing more."""
        with self._lock:
            if self._file is not None and not self._closed:
                with contextlib.suppress(OSError):
                    self.write()
            self._closed = True
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def write(self) -> None:
        """Note them now. Raises `OSError` when the disk is full."""
        seconds = self._seconds()
        if self._file is None and not seconds:
            return
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
            self._length = os.fstat(self._file).st_size  # of an earlier writer's, to be written over
        text = json.dumps({"writer": self._token, "seconds": dict(seconds)}).encode()
        self._length = max(self._length, len(text))
        os.pwrite(self._file, text.ljust(self._length), 0)  # over all of a longer one


def last_signs(folder: Path, token: int | str) -> Mapping[str, float]:
    """Device-seconds by tokens of attempts that the writer `token` left; none when another one wrote last."""
    try:
        written = json.loads((folder / NAME).read_text(encoding="utf-8"))
        return dict(written["seconds"]) if written["writer"] == token else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def last_sign(folder: Path, token: str) -> float | None:
    """Device-seconds that the worker of the attempt `token` noted last in `folder`; None when it did not."""
    return last_signs(folder, token).get(token)


def forget_signs(folder: Path) -> None:
    """Remove those of a folder whose attempt has ended."""
    with contextlib.suppress(OSError):
        (folder / NAME).unlink(missing_ok=True)
