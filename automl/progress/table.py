"""The progress of a campaign as a terminal shows it: as much as fits, and how much does not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from automl.progress import words
from automl.progress.status import CampaignStatus, SearchStatus

WIDE: Final = 160  # columns from which on trials are told apart
ROOMY: Final = 110  # and from which on the best trial is named
LEAST_ROWS: Final = 3
AROUND: Final = 6  # lines of the terminal that are not arms
_ORDER: Final = ("interrupted", "paused", "searching", "replaying", "retraining", "testing", "waiting")


@dataclass(frozen=True)
class Shown:
    """What rich prints of a status. `about`: seconds until its searches end, None while nobody can know."""

    status: CampaignStatus
    about: float | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Two lines, then a row for each arm that fits."""
        status = self.status
        yield Text(" · ".join([status.campaign, *words.headline(status, self.about)]), overflow="fold")
        yield Text(words.best_line(status), overflow="fold")
        rows = max(LEAST_ROWS, console.size.height - AROUND)
        yield from _arms(status, options.max_width, rows)


def _arms(status: CampaignStatus, width: int, rows: int) -> Iterator[RenderableType]:
    arms = list(status.arms.items())
    if len(arms) > rows:  # those that go on come first
        arms.sort(key=lambda entry: _state(entry[1]) == "finished")
    shown, hidden = (arms[:rows], arms[rows:]) if len(arms) <= rows else (arms[: rows - 1], arms[rows - 1 :])
    wide = width >= WIDE
    table = Table(box=None, padding=(0, 1), header_style="bold", pad_edge=False)
    table.add_column("arm", no_wrap=True, max_width=32 if width >= ROOMY else 18, overflow="ellipsis")
    table.add_column("", no_wrap=True)
    for name in ("searches", "trials", *(("state", "device time") if wide else ())):
        table.add_column(name, no_wrap=True, overflow="ellipsis")
    table.add_column("best", no_wrap=True, overflow="ellipsis")
    for name, searches in shown:
        table.add_row(name, *_cells(searches, status.maximize, width, wide))
    yield table
    if hidden:
        states: dict[str, int] = {}
        for _, searches in hidden:
            states[_state(searches)] = states.get(_state(searches), 0) + 1
        told = ", ".join(f"{count} {state}" for state, count in states.items())
        yield Text(f"… and {len(hidden)} more arms: {told}", style="dim")


def _cells(rows: Sequence[SearchStatus], maximize: bool, width: int, wide: bool) -> list[str]:
    share = sum(row.share for row in rows) / len(rows)
    ended = sum(row.state == "finished" for row in rows)
    cells = [_bar(share, 30 if width >= 200 else 16 if width >= ROOMY else 10), f"{ended} of {len(rows)}"]
    cells.append(_trials(rows, wide))
    if wide:
        cells += [_state(rows), words.duration(sum(row.spent for row in rows))]
    best = CampaignStatus("", tuple(rows), maximize=maximize).best
    if best is None:
        return [*cells, "–"]
    number = (best.best_trial or "").rpartition("/")[2]
    trial = f" (seed {best.seed}, trial {number})" if width >= ROOMY and number else ""
    return [*cells, f"{words.value(best.best)}{trial}"]


def _trials(rows: Sequence[SearchStatus], wide: bool) -> str:
    complete, pruned = sum(row.complete for row in rows), sum(row.pruned for row in rows)
    failed, running = sum(row.failed for row in rows), sum(row.running for row in rows)
    if wide:
        counted = ((complete, "complete"), (pruned, "pruned"), (failed, "failed"), (running, "running"))
        return ", ".join(f"{number} {word}" for number, word in counted if number or word == "complete")
    parts = [f"{complete + pruned + failed} done"]
    parts += [f"{failed} failed"] if failed else []
    parts += [f"{running} running"] if running else []
    return ", ".join(parts)


def _state(rows: Sequence[SearchStatus]) -> str:
    """What goes on in an arm."""
    states = {row.state for row in rows}
    return next((state for state in _ORDER if state in states), "finished")


def _bar(share: float, width: int) -> str:
    full = int(width * share + 1e-9)  # full only when all is used
    return "━" * full + "╌" * (width - full)
