"""Commands over several campaigns: compare, leaderboard, history, diff.

Commands import their rooms when they run: `automl --help` starts in 0.3 s.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from automl.cli.common import Json, emit, find_campaign, only_json, open_ledger, say, write_text
from automl.private import private_in

PANEL = "Campaigns over time"
Html = Annotated[Path | None, typer.Option(metavar="FILE", help="Write a self-contained page.")]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    for command in (compare, leaderboard, history, diff):
        app.command(rich_help_panel=PANEL)(command)


def compare(
    names: Annotated[
        list[str], typer.Argument(metavar="A B [C…]", help="Campaigns; a study's name is its latest one.")
    ],
    within: Annotated[
        float | None,
        typer.Option(help="Means this far apart, in the metric's unit, count as no different."),
    ] = None,
    html: Html = None,
    as_json: Json = False,
) -> None:
    """Compare campaigns: arms, winners, curves, verdicts of each against the first, and all that changed.

    Example: automl compare nightly-11 nightly-12 --html compared.html
    """
    from automl.comparing.campaigns import compare_campaigns

    with only_json(as_json), open_ledger() as (store, ledger):
        comparison = compare_campaigns(ledger, [find_campaign(ledger, name) for name in names], within)
        if html is not None:
            from automl.comparing.page import html as page

            with private_in(store.folder, html):
                write_text("--html", html, page(comparison))
    if as_json:
        emit(comparison.to_json())
        return
    if html is not None:
        say(f"wrote {html}")
        return
    from rich.console import Console

    from automl.comparing.terminal import terminal

    console = Console()
    console.print(terminal(comparison, console.width))


def leaderboard(
    study: Annotated[str, typer.Argument(metavar="STUDY", help="A study's name, or its file.")],
    models: Annotated[
        bool, typer.Option("--models", help="The models of its latest campaign, the best first.")
    ] = False,
    html: Html = None,
    as_json: Json = False,
) -> None:
    """All campaigns of a study, the best first. Those on other data are ranked apart.

    Example: automl leaderboard nightly
    """
    if models:
        _models(study, html, as_json)
        return
    from automl.comparing.leaderboard import leaderboard as board

    with only_json(as_json), open_ledger() as (store, ledger):
        found = board(ledger, ledger.campaigns(find_campaign(ledger, study).study))
        if html is not None:
            from automl.comparing import boards_page

            with private_in(store.folder, html):
                write_text("--html", html, boards_page.leaderboard(found))
    if as_json:
        emit(found.to_json())
        return
    if html is not None:
        say(f"wrote {html}")
        return
    from rich.console import Console

    from automl.comparing import tables

    console = Console()
    console.print(tables.leaderboard(found, console.width))


def _models(name: str, html: Path | None, as_json: bool) -> None:
    from automl.contracts import UserError
    from automl.fitting.models import models, table, to_json

    if html is not None:
        raise UserError(
            "--models writes no page; leave out --html, or write one: automl report NAME --html FILE"
        )
    with only_json(as_json), open_ledger() as (_, ledger):
        report, found = models(ledger, find_campaign(ledger, name).id)
    if as_json:
        emit(to_json(report, found))
        return
    from rich.console import Console

    Console().print(table(report, found))


def history(
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", help="A dataset's name, its file, or its data's digest.")
    ],
    html: Html = None,
    as_json: Json = False,
) -> None:
    """All verdicts on a dataset, corrected over all of its campaigns; negative results are kept.

    Example: automl history digits
    """
    from automl.comparing.history import history as history_of

    with only_json(as_json), open_ledger() as (store, ledger):
        found = history_of(ledger, ledger.campaigns(), dataset)
        if html is not None:
            from automl.comparing import boards_page

            with private_in(store.folder, html):
                write_text("--html", html, boards_page.history(found))
    if as_json:
        emit(found.to_json())
        return
    if html is not None:
        say(f"wrote {html}")
        return
    from rich.console import Console

    from automl.comparing import tables

    console = Console()
    console.print(tables.history(found, console.width))


def diff(
    before: Annotated[Path, typer.Argument(metavar="FILE", help="What `automl export` wrote.")],
    now: Annotated[Path, typer.Argument(metavar="FILE", help="Another one.")],
    as_json: Json = False,
) -> None:
    """Compare two exported winners: configuration, protocol, scores, seeds, identity, environment.

    Exit code as of the program diff: 0 when they are equal, 1 when not, 2 for a file that is no winner.
    Example: automl diff best-1.yaml best-2.yaml
    """
    from automl.comparing.winners import diff as diff_of
    from automl.ledger import resolve_store

    with only_json(as_json):
        found = diff_of(before, now, resolve_store())
    if as_json:
        emit(found.to_json())
    else:
        for line in found.lines():
            say(line)
    if not found.equal:
        raise typer.Exit(1)
