"""Failed trials and retrainings, by arm and reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final

from automl.contracts import TrialState
from automl.report.chosen import Chosen, marked
from automl.report.evaluations import Trials
from automl.report.markup import Column, table
from automl.report.wording import plural

if TYPE_CHECKING:
    from automl.ledger.rows import SearchRow, TrialRow

_TRACEBACK: Final = 2000  # characters kept of a traceback: its end, where the error is
_EXAMPLES: Final = 5  # trials named for each kind of failure
_KINDS: Final = 5  # of failures that the terminal shows
_LONGEST: Final = 300  # characters of a reason there
TITLE: Final = "Failed trials:"


@dataclass(frozen=True)
class Failure:
    """A reason for which `count` trials of an arm failed, with a few of them and the end of a traceback."""

    arm: str
    reason: str
    count: int
    trials: tuple[str, ...]
    traceback: str


def failures(searches: Sequence[SearchRow], trials: Trials) -> tuple[Failure, ...]:
    """Failed trials and retrainings by arm and reason, the most frequent first."""
    kinds: dict[tuple[str, str], list[TrialRow]] = {}
    for search in searches:
        for trial in trials[search.id]:
            if trial.state is TrialState.FAILED:
                reason = trial.reason or "no reason was recorded"
                kinds.setdefault((search.arm, reason), []).append(trial)
    groups = (
        Failure(
            arm=arm,
            reason=reason,
            count=len(rows),
            trials=tuple(row.id for row in rows[:_EXAMPLES]),
            traceback=next((row.traceback[-_TRACEBACK:] for row in rows if row.traceback), ""),
        )
        for (arm, reason), rows in kinds.items()
    )
    return tuple(sorted(groups, key=lambda failure: -failure.count))


def lines(failures: Sequence[Failure]) -> Iterator[str]:
    """A line for each of the most frequent kinds: the arm, how many trials, the reason, the first trial."""
    for failure in failures[:_KINDS]:
        many = plural(failure.count, "trial")
        yield f"{failure.arm}, {many}: {short(failure.reason)} ({failure.trials[0]})"
    if len(failures) > _KINDS:
        yield f"and {plural(len(failures) - _KINDS, 'other reason')}, see the HTML page"


def short(reason: str) -> str:
    """A reason on one line, of at most 300 characters."""
    line = " ".join(reason.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]} …"


def section(failures: Sequence[Failure], chosen: Chosen | None = None) -> str:
    """The HTML table; empty when nothing failed."""
    if not failures:
        return ""
    columns = [Column("arm"), Column("trials"), Column("reason", "text")]
    return f"<h2>Failures</h2>{table(columns, (_cells(failure, chosen) for failure in failures))}"


def _cells(failure: Failure, chosen: Chosen | None) -> list[str]:
    named = ", ".join(failure.trials) + (" …" if failure.count > len(failure.trials) else "")
    trace = f"<details><summary>traceback</summary><pre>{escape(failure.traceback)}</pre></details>"
    return [
        escape(marked(failure.arm, chosen)),
        str(failure.count),
        f'{escape(failure.reason)}<br><span class="soft">{escape(named)}</span>'
        f"{trace if failure.traceback else ''}",
    ]
