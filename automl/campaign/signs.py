"""Signs of life: what open attempts have used, noted many times a second by the driver.

A driver that is killed leaves its last ones, by which interrupted trials pay: all by the clock of one
process, without the time that a worker took to start.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from automl.campaign.beside import beside
from automl.campaign.search import Search

NAME: Final = "alive.json"
EVERY: Final = 0.05  # seconds: what a killed trial does not pay for, at most


class Signs:
    """Notes what the open attempts of `searches` have used in `folder`, for the driver with `token`.

    In place and unsynced: a killed process loses nothing of what it has written, and torn signs are none.
    """

    def __init__(self, folder: Path, token: int, searches: Sequence[Search]) -> None:
        self._folder, self._token, self._searches = folder, token, searches
        self._length = 0

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note them in a thread of its own inside the block."""
        self._folder.mkdir(parents=True, exist_ok=True)
        file = os.open(self._folder / NAME, os.O_WRONLY | os.O_CREAT, 0o600)

        def note() -> None:
            with contextlib.suppress(OSError):  # a full disk ends trials, not this thread
                self.write(file)

        try:
            with beside(note, EVERY, "signs"):
                yield
        finally:
            os.close(file)

    def write(self, file: int) -> None:
        """Note them now in the open `file`. Raises `OSError` when the disk is full."""
        seconds = {token: used for search in self._searches for token, used in search.alive().items()}
        text = json.dumps({"driver": self._token, "seconds": seconds}).encode()
        self._length = max(self._length, len(text))
        os.pwrite(file, text.ljust(self._length), 0)  # over all of a longer one


def last_signs(folder: Path, token: int) -> Mapping[str, float]:
    """Device-seconds by the tokens of attempts, from the last driver; none when it wrote them elsewhere."""
    try:
        written = json.loads((folder / NAME).read_text(encoding="utf-8"))
        return dict(written["seconds"]) if written["driver"] == token else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
