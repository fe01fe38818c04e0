"""Commands about the store and what is installed: ui, list, schema, db.

Commands import their rooms when they run: `automl --help` starts in 0.3 s.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from automl import plugins
from automl.cli.common import Json, emit, find_campaign, only_json, open_ledger, say, shipped_studies
from automl.contracts import UserError

if TYPE_CHECKING:
    from automl.ledger import CampaignRow, Ledger

PANEL = "Store and plug-ins"
KINDS = [*plugins.PACKAGES, "studies", "campaigns"]

database = typer.Typer(no_args_is_help=True, help="The store's tables.")


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command(rich_help_panel=PANEL)(ui)
    app.command("list", rich_help_panel=PANEL)(list_)
    app.command(rich_help_panel=PANEL)(schema)
    app.add_typer(database, name="db", rich_help_panel=PANEL)


def ui(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]", help="A study or campaign: print the address that compares its arms."
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 5000,
) -> None:
    """Serve MLflow's pages on the store: experiment → campaign → search → trial. Ctrl-C ends it.

    With NAME, the address that is printed opens its searches with columns and charts that compare the arms.
    Example: automl ui quickstart --port 5001
    """
    link = ""
    with open_ledger() as (store, ledger):
        if name is not None:
            from automl.recorder.pages import open_page

            link = open_page(store, find_campaign(ledger, name), host, port)
    from automl.recorder.ui import serve

    if link and store.tracking_uri.startswith("http"):  # a server that somebody else runs
        say(link)
        return
    serve(store, host=host, port=port, ready=lambda: _say_link(link))


def _say_link(link: str) -> None:
    if link:
        say(link)
        sys.stdout.flush()


def list_(
    kind: Annotated[str, typer.Argument(metavar="KIND", help=", ".join(KINDS), autocompletion=lambda: KINDS)],
    as_json: Json = False,
) -> None:
    """List the plug-ins that a study file can name, the shipped studies, or the campaigns of the store.

    Example: automl list strategies
    """
    if kind not in KINDS:
        raise UserError(plugins.unknown("KIND", kind, KINDS))
    rows = (
        _campaigns(with_reasons=not as_json)
        if kind == "campaigns"
        else _studies()
        if kind == "studies"
        else plugins.summaries(kind)
    )
    if as_json:
        emit(rows)
        return
    width = max(map(len, rows), default=0)
    for name, text in rows.items():
        say(f"{name:{width}}  {text}".rstrip())


def schema() -> None:
    """Print the JSON Schema of study files, with the plug-ins found now: editors complete and check by it.

    Save it, and begin a study file with: # yaml-language-server: $schema=study.schema.json
    Example: automl schema > study.schema.json
    """
    from automl.config.schema import study_schema

    with only_json(True):
        written = study_schema()
    emit(written)


def _campaigns(*, with_reasons: bool) -> dict[str, str]:
    """The status of each; what ended it early, or pauses it, and its label, as words behind it."""
    with open_ledger() as (_, ledger):
        rows = ledger.campaigns()
        words = [[ledger.status(row), *(_told(row, ledger) if with_reasons else [])] for row in rows]
    return {row.id: ", ".join(parts) for row, parts in zip(rows, words, strict=True)}


def _told(row: CampaignRow, ledger: Ledger) -> list[str]:
    wishes = ledger.wishes(row.id)
    pause = wishes.pause if row.state == "running" else None
    why = row.reason or (pause.words if pause else "") or wishes.reason(row.id)
    return [*([why] if why else []), *([f"called {row.label!r}"] if row.label else [])]


def _studies() -> dict[str, str]:
    summaries = {}
    for name, path in shipped_studies().items():
        first = path.read_text(encoding="utf-8").partition("\n")[0]
        summaries[name] = first.removeprefix("#").strip() if first.startswith("#") else str(path)
    return summaries


@database.command()
def upgrade() -> None:
    """Migrate an older store to this version; SQLite files are copied first.

    Example: AUTOML_STORE=postgresql://team@db/automl automl db upgrade
    """
    from automl import storage
    from automl.ledger import resolve_store

    store = resolve_store()
    copies = storage.upgrade(store)
    for copy in copies:
        say(f"kept a copy: {copy}")
    say(f"{store.shown} is up to date")
