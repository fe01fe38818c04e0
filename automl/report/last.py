"""The campaign against the last finished one of its study, as the report shows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from automl.report.against import Against
from automl.report.against_words import LEVELS

_MARKS: Final = {
    "better": ("better", "bold green"),
    "worse": ("worse", "bold red"),
    "no different": ("same", "bold"),
    "cannot tell": ("?", "bold yellow"),
}
_CHIPS: Final = {
    "better": "better",
    "worse": "worse",
    "no different": "undecided",
    "cannot tell": "undecided",
}


def terminal(last: Against | None) -> Iterator[RenderableType]:
    """One sentence; nothing without an earlier campaign."""
    if last is None:
        return
    yield Text("\nAgainst the last campaign:", style="bold")
    yield marked(last.answer, last.sentence)


def marked(answer: str, sentence: str) -> RenderableType:
    """A sentence beside the answer in a word."""
    mark, style = _MARKS[answer]
    line = Table.grid(padding=(0, 2, 0, 0))
    line.add_column(width=6)
    line.add_column(overflow="fold")
    line.add_row(Text(mark, style=style), Text(sentence))
    return Padding(line, (0, 0, 0, 2))


def section(last: Against | None) -> str:
    """The sentence of the study and those of its arms; empty without an earlier campaign."""
    if last is None:
        return ""
    entries = [(last.answer, last.sentence), *((arm.answer, arm.sentence) for arm in last.arms)]
    return f"<h2>Against the last campaign</h2>\n{listed(entries)}\n{about(last)}"


def listed(entries: Sequence[tuple[str, str]]) -> str:
    """Answers with their sentences."""
    items = "".join(
        f'<li><span class="chip {_CHIPS[answer]}">{answer}</span><span>{escape(sentence)}.</span></li>'
        for answer, sentence in entries
    )
    return f'<ul class="verdicts">{items}</ul>'


def about(found: Against) -> str:
    """What is compared, below the sentences."""
    if found.level is None:
        return ""
    return (
        f'<p class="soft">Compared: {LEVELS[found.level]}, the best arm of each campaign, then each arm that '
        "both have (p-values of arms corrected together, Holm). Decided at 0.05; the test set has no say.</p>"
    )
