"""Signs of life: what open attempts have used, written by the driver at every heartbeat.

A driver that is killed leaves its last ones, by which interrupted trials pay: all by the clock of one
process, without the time that a worker took to start, and at most one heartbeat behind.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from automl.campaign.search import Search
from automl.checkpoints import write_atomically

NAME = "alive.json"


class Signs:
    """Writes what the open attempts of `searches` have used into `folder`, for the driver with `token`."""

    def __init__(self, folder: Path, token: int, searches: Sequence[Search]) -> None:
        self._file, self._token, self._searches = folder / NAME, token, searches

    def write(self) -> None:
        """Write them now, also from another thread. A folder that cannot be written is told by trials."""
        seconds = {token: used for search in self._searches for token, used in search.alive().items()}
        self._file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self._file, json.dumps({"driver": self._token, "seconds": seconds}).encode())


def last_signs(folder: Path, token: int) -> Mapping[str, float] | None:
    """Device-seconds by the tokens of attempts, from the last driver; None when it wrote them elsewhere."""
    try:
        written = json.loads((folder / NAME).read_text(encoding="utf-8"))
        return dict(written["seconds"]) if written["driver"] == token else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
