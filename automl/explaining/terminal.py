"""An explanation in the terminal. Readable at 80 columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from automl.explaining.dependence import Dependence
from automl.explaining.explanation import Explanation
from automl.explaining.wording import head, loss_of_columns, number, short

SHOWN = 20  # columns and groups
CELLS = 3  # columns of a wrong row
BARS: Final = "▁▂▃▄▅▆▇█"


def terminal(found: Explanation) -> RenderableType:
    """An explanation as something that rich can print."""
    parts: list[RenderableType] = [Text(head(found), style="bold"), Text(), _columns(found)]
    parts += [Text(loss_of_columns(found), style="dim"), Text()]
    if found.dependence:
        parts += [*_dependences(found), Text()]
    parts += [_worst(found), Text(), *_groups(found)]
    if found.calibration:
        text = f"mean distance from the share of rows {found.calibration.error:.3g} (0 is perfect)"
        parts += [Text(), Text(f"{found.calibration.of}: {text}")]
    parts += [Text(f"note: {note}", style="dim") for note in found.notes]
    return Group(*parts)


def _table(title: str, *columns: str) -> Table:
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    shown.title, shown.title_justify = Text(title, style="dim"), "left"
    for place, column in enumerate(columns):
        shown.add_column(column, justify="right" if 0 < place < len(columns) - 1 else "left", overflow="fold")
    return shown


def _columns(found: Explanation) -> Table:
    shown = _table("columns", "column", "importance", "95 % interval")
    for one in found.columns[:SHOWN]:
        low, high = one.interval
        style = "" if one.matters else "dim"
        shown.add_row(Text(one.column), f"{one.mean:.3g}", f"{low:.3g} … {high:.3g}", style=style)
    if len(found.columns) > SHOWN:
        shown.add_row(f"and {len(found.columns) - SHOWN} more", "", "")
    return shown


def _dependences(found: Explanation) -> list[RenderableType]:
    """Each column in a line: where the mean prediction is lowest and highest, and its course."""
    first = found.dependence[0]
    what = f"P({first.outputs[0]})" if found.pairs is None else found.target
    shown = _table(
        f"partial dependence: mean {what} when a column is …", "column", "lowest", "highest", "course"
    )
    ends = [value for one in found.dependence for value in one.middle]
    for one in found.dependence:
        low, high = (pick(range(len(one.at)), key=one.middle.__getitem__) for pick in (min, max))
        cells = [f"{number(one.middle[place])} at {short(one.at[place], 16)}" for place in (low, high)]
        shown.add_row(Text(one.column), *map(Text, cells), bars(one.middle, min(ends), max(ends)))
    return [shown, Text(_courses(first), style="dim")]


def _courses(first: Dependence) -> str:
    return (
        f"mean over {first.rows:,} rows, all courses on one scale; numbers and dates from low to high, "
        "categories by frequency; --html draws the lines of single rows too"
    )


def bars(values: Sequence[float], low: float, high: float) -> str:
    """Numbers from `low` to `high` as bars of a letter each."""
    span = high - low or 1.0
    return "".join(BARS[int((value - low) / span * (len(BARS) - 1) + 0.5)] for value in values)


def _worst(found: Explanation) -> RenderableType:
    if not found.worst:
        return Text("no row is predicted wrongly")
    shown = _table(f"worst rows, by {found.loss}", "row", "truth", "predicted", "loss", "cells")
    for one in found.worst:
        told = ", ".join(f"{name}={short(cell)}" for name, cell in list(one.cells.items())[:CELLS])
        shown.add_row(str(one.row), short(one.truth), short(one.prediction), f"{one.loss:.3g}", Text(told))
    return shown


def _groups(found: Explanation) -> list[RenderableType]:
    if not found.groups:
        return [Text(f"groups: none of {found.looked_at} is worse than the other rows beyond chance")]
    title = f"groups that are worse than the other rows, of {found.looked_at}, by mean {found.loss}"
    shown = _table(title, "column", "rows", "loss", "of others", "value")
    for one in found.groups[:SHOWN]:
        shown.add_row(
            Text(one.column), f"{one.rows:,}", f"{one.loss:.3g}", f"{one.others:.3g}", Text(one.value)
        )
    return [shown]
