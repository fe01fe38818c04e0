"""An explanation in the terminal. Readable at 80 columns."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from automl.explaining.explanation import Explanation
from automl.explaining.importance import DRAWS

SHOWN = 20  # columns and groups
CELLS = 3  # columns of a wrong row


def terminal(found: Explanation) -> RenderableType:
    """An explanation as something that rich can print."""
    sample = "all" if found.rows == found.of else f"{found.rows:,} drawn of"
    score = f"{found.metric.name} {found.score:.4g} on {sample} {found.of:,} validation rows"
    head = f"{found.campaign}: {found.arm}, {score}"
    return Group(
        Text(head, style="bold"),
        Text(),
        _columns(found),
        Text(
            f"loss of {found.metric.name} when a column is shuffled: mean and 95 % interval over "
            f"{found.repeats} shuffles, {DRAWS} samples of the rows each; columns that say the same stand in "
            "for each other",
            style="dim",
        ),
        Text(),
        _worst(found),
        Text(),
        *_groups(found),
    )


def _table(title: str, *columns: str) -> Table:
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    shown.title, shown.title_justify = Text(title, style="dim"), "left"
    for number, column in enumerate(columns):
        shown.add_column(
            column, justify="right" if 0 < number < len(columns) - 1 else "left", overflow="fold"
        )
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


def _worst(found: Explanation) -> RenderableType:
    if not found.worst:
        return Text("no row is predicted wrongly")
    names = [one.column for one in found.columns]
    shown = _table(f"worst rows, by {found.loss}", "row", "truth", "predicted", "loss", "cells")
    for one in found.worst:
        cells = sorted(one.cells.items(), key=lambda cell: _place(cell[0], names))[:CELLS]
        told = ", ".join(f"{name}={_short(cell)}" for name, cell in cells)
        shown.add_row(str(one.row), _short(one.truth), _short(one.prediction), f"{one.loss:.3g}", Text(told))
    return shown


def _place(feature: str, names: list[str]) -> int:
    """The place of the column of a feature among the columns by their importance."""
    matching = [
        place
        for place, name in enumerate(names)
        if feature == name or feature.startswith((f"{name}_", f"{name}="))
    ]
    return matching[0] if matching else len(names)


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


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else f"{value!s:.30}"
