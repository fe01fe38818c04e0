"""The progress of a running campaign: a live table on a terminal, a line every ten seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self, TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table

from automl.contracts import UserError
from automl.masking import mask_text

LINE_EVERY = 10.0  # seconds between two lines of a log
MOST_ROWS = 40  # searches that get a row each
MOST_BESTS = 8  # best values of an arm in one line
_BAR = 16  # characters


@dataclass(frozen=True)
class SearchStatus:
    """The status of one search: numbers of trials by state, cost, best value.

    `state` is one word such as `searching`, `retraining`, `testing`, `finished`.
    `spent` and `budget` (None: no such limit) are device-seconds.
    """

    arm: str
    seed: int
    state: str
    complete: int
    pruned: int
    failed: int
    running: int
    spent: float
    budget: float | None
    best: float | None


class Progress(Protocol):
    """Receives the status of a campaign; used as a context manager around the searches."""

    def update(self, searches: list[SearchStatus]) -> None:
        """Receive the present status of all searches."""

    def message(self, text: str) -> None:
        """Show one line permanently."""

    def __enter__(self) -> Self:
        """Start."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop."""


class QuietProgress:
    """Shows nothing."""

    def update(self, searches: list[SearchStatus]) -> None:
        """Nothing."""

    def message(self, text: str) -> None:
        """Nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass


class LogProgress(QuietProgress):
    """A line for the whole campaign every ten seconds, for log files and pipes."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.stream = stream or sys.stderr
        self._clock = clock
        self._next = 0.0
        self._latest: list[SearchStatus] = []
        self._line = ""

    def update(self, searches: list[SearchStatus]) -> None:
        """Write a line when the last one is old enough."""
        self._latest = searches
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
        if self._latest:
            self._write()

    def _write(self) -> None:
        line = summary(self._latest)
        if line != self._line:
            self.message(line)
        self._line = line


class LiveProgress(QuietProgress):
    """A table with a row per search, redrawn in place."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)
        self._live = Live(console=self.console, auto_refresh=False, vertical_overflow="crop")

    def update(self, searches: list[SearchStatus]) -> None:
        """Redraw the table."""
        self._live.update(table(searches), refresh=True)

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


def table(searches: Sequence[SearchStatus]) -> Table:
    """A row per search: state, trials, a bar of the spent budget, best value. Many searches: a row an arm."""
    if len(searches) > MOST_ROWS:
        return _arms_table(searches)
    shown = Table(box=None, padding=(0, 1), header_style="bold")
    for name in ("arm", "seed", "state", "trials", "spent", "", "best"):
        shown.add_column(name, justify="right" if name in ("seed", "best", "") else "left", no_wrap=True)
    for status in searches:
        shown.add_row(
            status.arm,
            str(status.seed),
            status.state,
            _counts(status),
            _bar(status),
            _cost(status),
            _value(status.best),
        )
    return shown


def _arms_table(searches: Sequence[SearchStatus]) -> Table:
    shown = Table(box=None, padding=(0, 1), header_style="bold")
    for name in ("arm", "searches", "trials", "best"):
        shown.add_column(name, justify="left", no_wrap=True)
    for arm, rows in _by_arm(searches).items():
        ended = sum(row.state == "finished" for row in rows)
        done = sum(row.complete + row.pruned + row.failed for row in rows)
        shown.add_row(arm, f"{ended} of {len(rows)} finished", str(done), _bests(rows))
    return shown


def summary(searches: Sequence[SearchStatus]) -> str:
    """The campaign in one line."""
    parts = []
    for arm, rows in _by_arm(searches).items():
        done = sum(row.complete + row.pruned + row.failed for row in rows)
        running = sum(row.running for row in rows)
        spent = sum(row.spent for row in rows)
        parts.append(f"{arm}: {done} done, {running} running, {spent:.0f} s, best {_bests(rows)}")
    return " | ".join(parts)


def _by_arm(searches: Sequence[SearchStatus]) -> dict[str, list[SearchStatus]]:
    arms: dict[str, list[SearchStatus]] = {}
    for status in searches:
        arms.setdefault(status.arm, []).append(status)
    return arms


def _bests(rows: Sequence[SearchStatus]) -> str:
    """The best value of each search; of many searches only the smallest and the largest."""
    bests = [row.best for row in rows if row.best is not None]
    if len(rows) > MOST_BESTS and bests:
        return f"{_value(min(bests))} to {_value(max(bests))} in {len(bests)} of {len(rows)} searches"
    return ", ".join(_value(row.best) for row in rows) if len(rows) <= MOST_BESTS else "–"


def _counts(status: SearchStatus) -> str:
    parts = [f"{status.complete} complete"]
    for number, word in ((status.pruned, "pruned"), (status.failed, "failed"), (status.running, "running")):
        parts += [f"{number} {word}"] if number else []
    return ", ".join(parts)


def _bar(status: SearchStatus) -> str:
    if not status.budget:
        return ""
    full = min(_BAR, round(_BAR * status.spent / status.budget))
    return "━" * full + "╌" * (_BAR - full)


def _cost(status: SearchStatus) -> str:
    return f"{status.spent:.0f}/{status.budget:.0f} s" if status.budget else f"{status.spent:.0f} s"


def _value(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
