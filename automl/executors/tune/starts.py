"""Workers that end before they are up: told, and after many in a row the end of the run."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from automl.contracts import RunError

MOST: Final = 20  # starts in a row
LONGEST: Final = 120.0  # seconds of them: nodes that come and go may take many workers at once


class Starts:
    """Counts starts of workers that failed since one worked."""

    def __init__(self) -> None:
        self._failed, self._since, self._told = 0, 0.0, False

    def worked(self) -> None:
        """A worker is up."""
        self._failed = 0

    def failed(self, reason: str, tell: Callable[[str], object]) -> None:
        """One has ended before it was up, which `tell` says once. Raises `RunError` when none gets up."""
        now = time.monotonic()
        self._since = self._since if self._failed else now
        self._failed += 1
        if self._failed >= MOST and now - self._since > LONGEST:
            raise RunError(
                f"no worker starts: {self._failed} in a row have ended before they were up, the last one: "
                f"{reason}; finished trials are safe, mend the nodes and run again to continue"
            )
        if not self._told:
            self._told = True
            tell(f"a worker was not up yet when it ended, another one is started: {reason}")
