"""How the text of a table is laid out: lines before it, separator, quotes, header."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from automl.contracts import ReadSpec, UserError

CANDIDATES = (",", ";", "\t", "|")
WHITESPACE = "whitespace"
SAMPLE = 200  # lines by which a separator is found
NAMES = {"\t": "tabs", " ": "blanks", WHITESPACE: "blanks"}
csv.field_size_limit(2**31 - 1)


@dataclass(frozen=True)
class Layout:
    """`start`: lines before the table; `separator`: one character, or `whitespace`; `quote`: "" for none."""

    start: int
    separator: str
    quote: str
    found: bool  # whether the separator was found out

    def fields(self, lines: Iterable[str]) -> Iterator[list[str]]:
        """The fields of each row that is not blank. Blanks before a quote count for nothing.

        An iterator of lines is read as it is asked for, and loses blanks before other fields as well.
        """
        if self.separator == WHITESPACE:
            yield from (line.split() for line in lines if line.strip())
            return
        reader = csv.reader(
            (f"{line}\n" for line in lines),
            delimiter=self.separator,
            quotechar=self.quote or None,
            quoting=csv.QUOTE_MINIMAL if self.quote else csv.QUOTE_NONE,
            skipinitialspace=bool(self.quote)
            and (
                not isinstance(lines, Sequence)
                or any(f"{self.separator} {self.quote}" in line for line in lines)
            ),
        )
        yield from (row for row in reader if row and (len(row) > 1 or row[0].strip()))


def find_layout(lines: Sequence[str], read: ReadSpec, usual: str) -> Layout:
    """The layout of a table's `lines`. `usual`: the separator that the file's name promises."""
    quote = '"' if read.quote is None else read.quote
    start, named = 0, read.separator
    if lines[0].lower().startswith("sep=") and len(lines[0].strip()) <= len("sep=") + 1:
        start, named = 1, named or lines[0].strip()[len("sep=") :] or usual
    if named is not None:
        return Layout(_title(lines, Layout(start, named, quote, False)), named, quote, False)
    best = max(CANDIDATES, key=lambda mark: _score(lines, Layout(start, mark, quote, True), mark == usual))
    if _width(lines, Layout(start, best, quote, True)) > 1:
        return Layout(_title(lines, Layout(start, best, quote, True)), best, quote, best != usual)
    blanks = Layout(start, WHITESPACE, "", True)
    if _width(lines, blanks) > 1 and _score(lines, blanks, False)[0] == 1:
        return blanks
    return Layout(start, usual, quote, False)


def check_separator(read: ReadSpec) -> None:
    """Raise `UserError` for a separator that is more than one character."""
    mark = read.separator
    if mark is not None and mark != WHITESPACE and (len(mark) != 1 or mark in '"\n\r'):
        raise UserError(
            f"task.read.separator must be one character or {WHITESPACE}, but got {mark!r}; "
            'write ";", for instance'
        )
    if mark is not None and mark == read.quote:
        raise UserError(
            f"task.read.separator and quote must differ, but both are {mark!r}; correct one of them"
        )


def _sample(lines: Sequence[str], layout: Layout) -> list[int]:
    part = lines[layout.start : layout.start + SAMPLE]
    try:
        return [len(row) for row in layout.fields(part)]
    except csv.Error:
        return []


def _width(lines: Sequence[str], layout: Layout) -> int:
    """The commonest number of fields."""
    counts = Counter(_sample(lines, layout))
    return counts.most_common(1)[0][0] if counts else 0


def _score(lines: Sequence[str], layout: Layout, usual: bool) -> tuple[float, bool, int]:
    """How well a separator divides: share of rows of one width, whether its name promised it, that width."""
    widths = _sample(lines, layout)
    width = _width(lines, layout)
    if width < 2:
        return 0.0, usual, width
    return round(widths.count(width) / len(widths), 2), usual, width


def _title(lines: Sequence[str], layout: Layout) -> int:
    """The number of lines before the table: comments, and titles of one field where rows have more."""
    width, start = _width(lines, layout), layout.start
    if width < 2:
        return start
    while start < len(lines) - 1:
        line = lines[start]
        fields = next(iter(layout.fields([line])), [])
        title = len([field for field in fields if field.strip()]) <= 1 and len(fields) < width
        comment = re.match(r"\s*(#|//)", line) is not None and len(fields) != width
        if line.strip() and not title and not comment:
            break
        start += 1
    return start
