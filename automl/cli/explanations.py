"""The command explain: what the winner of a table study goes by.

Commands import their rooms when they run: `automl --help` starts in 0.3 s.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from automl.cli.common import Json, Name, emit, find_campaign, only_json, open_ledger, say, write_text
from automl.private import private_in

PANEL = "Winners"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(rich_help_panel=PANEL)(explain)


def explain(
    name: Name,
    arm: Annotated[str | None, typer.Option(help="Explain the winner of this arm.")] = None,
    repeats: Annotated[int, typer.Option(min=2, max=1000, help="Shuffles of each column.")] = 10,
    worst: Annotated[int, typer.Option(min=0, max=100, help="How many badly predicted rows to show.")] = 10,
    curves: Annotated[
        int, typer.Option(min=0, max=100, help="How many columns to show the partial dependence on.")
    ] = 6,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a self-contained page.")] = None,
    as_json: Json = False,
) -> None:
    """Show what the winner of a table study goes by: columns that matter and how, worst rows, bad groups.

    It looks at validation rows alone: the sealed test stays sealed. The same command gives the same values.
    Example: automl explain houses --html houses.html
    """
    from automl.explaining import Extent
    from automl.explaining import explain as explained

    extent = Extent(repeats, worst, curves)
    with only_json(as_json), open_ledger() as (store, ledger):
        found = explained(ledger, find_campaign(ledger, name).id, arm, extent)
        if html is not None:
            from automl.explaining.page import html as page

            with private_in(store.folder, html):
                write_text("--html", html, page(found))
    if as_json:
        emit(found.to_json())
        return
    if html is not None:
        say(f"wrote {html}")
        return
    from rich.console import Console

    from automl.explaining.terminal import terminal

    Console().print(terminal(found))
