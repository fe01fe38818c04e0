"""Pieces of HTML that several sections share. Cells are HTML: their makers escape what comes from outside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Column:
    """A column of a table: its heading and the class of its cells."""

    heading: str
    style: str = ""

    @property
    def attribute(self) -> str:
        """The class as an attribute of a tag."""
        return f' class="{self.style}"' if self.style else ""


def table(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> str:
    """A table that scrolls on a narrow screen; the first cell of a row names it."""
    heads = "".join(f'<th scope="col"{column.attribute}>{escape(column.heading)}</th>' for column in columns)
    body = "".join(_row(columns, row) for row in rows)
    return (
        f'<div class="scroll"><table>\n<thead><tr>{heads}</tr></thead>\n<tbody>{body}</tbody></table></div>'
    )


def _row(columns: Sequence[Column], cells: Sequence[str]) -> str:
    others = "".join(
        f"<td{column.attribute}>{cell}</td>" for column, cell in zip(columns[1:], cells[1:], strict=True)
    )
    return f'<tr><th scope="row">{cells[0]}</th>{others}</tr>\n'


def note(text: str) -> str:
    """A paragraph of explanation; `text` is not HTML."""
    return f'<p class="soft">{escape(text)}</p>'


def number(value: float | None, digits: int = 2) -> str:
    """A number with a true minus sign; a dash for None."""
    return "–" if value is None else f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")
