"""Shows the progress of a campaign: a live table on a terminal, a line every ten seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self, TextIO

from rich.console import Console
from rich.live import Live

from automl.contracts import UserError
from automl.masking import mask_text
from automl.progress.estimate import Estimate
from automl.progress.status import CampaignStatus, Progress, QuietProgress
from automl.progress.table import Shown
from automl.progress.words import summary

LINE_EVERY: Final = 10.0  # seconds between two lines of a log
NAMES: Final = ("auto", "live", "log", "quiet")


class LogProgress(QuietProgress):
    """A line for the whole campaign every ten seconds, for log files and pipes."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.stream = stream or sys.stderr
        self._clock = clock
        self._next = 0.0
        self._latest: CampaignStatus | None = None
        self._line = ""
        self._estimate = Estimate()
        self._about: float | None = None

    def update(self, status: CampaignStatus) -> None:
        """Write a line when the last one is old enough."""
        self._latest, self._about = status, self._estimate.about(status)
        if self._clock() >= self._next:
            self._next = self._clock() + LINE_EVERY
            self._write()

    def message(self, text: str) -> None:
        """Write `text`."""
        self.stream.write(f"{mask_text(text)}\n")
        self.stream.flush()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._write()

    def _write(self) -> None:
        if self._latest is None:
            return
        line = summary(self._latest, self._about)
        if line != self._line:
            self.message(line)
        self._line = line


class LiveProgress(QuietProgress):
    """Where the campaign is, with a row for each arm, redrawn in place."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)
        self._live = Live(console=self.console, auto_refresh=False, vertical_overflow="crop")
        self._estimate = Estimate()

    def update(self, status: CampaignStatus) -> None:
        """Redraw the table."""
        self._live.update(Shown(status, self._estimate.about(status)), refresh=True)

    def message(self, text: str) -> None:
        """Print `text` above the table."""
        self.console.print(mask_text(text), markup=False, highlight=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.stop()


def progress_for(name: str = "auto") -> Progress:
    """The progress of that name: `live`, `log`, `quiet`, or `auto`, which depends on standard error."""
    if name == "auto":
        name = "live" if Console(stderr=True).is_terminal else "log"
    kinds: dict[str, Callable[[], Progress]] = {
        "live": LiveProgress,
        "log": LogProgress,
        "quiet": QuietProgress,
    }
    if name not in kinds:
        raise UserError(f"progress must be auto, {', '.join(kinds)}, but got {name!r}; write one of them")
    return kinds[name]()
