"""Commands about recurring campaigns."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from automl.cli.common import Json, StudyFile, emit, note, only_json, open_ledger, say, study_name, study_path

if TYPE_CHECKING:
    from automl.ledger import Ledger
    from automl.ledger.rows import ScheduleRow

Study = Annotated[str, typer.Argument(metavar="NAME", help="A study with a schedule, or its file.")]

app = typer.Typer(
    no_args_is_help=True, help="Run studies again and again, at the times of a cron expression."
)


@app.command()
def add(
    file: StudyFile,
    cron: Annotated[
        str | None,
        typer.Option(metavar="CRON", help='Five fields, such as "0 2 * * *". Default: the file\'s.'),
    ] = None,
    timezone: Annotated[
        str | None, typer.Option(help="Such as Europe/Paris. Default: the file's, or UTC.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run a study by a schedule from now on; `automl schedule run` or `tick` must run for it to happen.

    Example: automl schedule add studies/quickstart.yaml --cron "0 2 * * *" --timezone Europe/Paris
    """
    from automl import schedule, storage
    from automl.config import load_study
    from automl.ledger import resolve_store

    given = {"cron": cron, "timezone": timezone}
    overrides = [f"schedule.{key}={json.dumps(value)}" for key, value in given.items() if value is not None]
    path = study_path(file).resolve()
    with only_json(as_json):
        study = load_study(path, overrides)
        with storage.open_ledger(resolve_store()) as ledger:
            row = _described(ledger, schedule.add(ledger, study, path))
    if as_json:
        emit(row)
        return
    say(f"{row['study']}: {row['cron']} in {row['timezone']}; next: {row['next']}")
    say("the daemon that runs it: automl schedule run (or automl schedule tick from cron)")


@app.command("list")
def list_(as_json: Json = False) -> None:
    """Show all schedules and when each runs next."""
    from automl import schedule

    with only_json(as_json), open_ledger() as (_, ledger):
        rows = [_described(ledger, row) for row in schedule.list_schedules(ledger)]
    if as_json:
        emit({"schedules": rows})
        return
    for row in rows:
        when = "paused" if row["paused"] else f"next: {row['next']}"
        say(f"{row['study']}  {row['cron']}  {row['timezone']}  {when}  {row['file']}")


@app.command()
def remove(name: Study) -> None:
    """Forget a schedule. A campaign that runs goes on."""
    _change("remove", name)


@app.command()
def pause(name: Study) -> None:
    """Start nothing of a study until it is resumed."""
    _change("pause", name)


@app.command()
def resume(name: Study) -> None:
    """Start a study again from its next time on; what the pause left out is not made up for."""
    _change("resume", name)


@app.command()
def run(
    at_once: Annotated[int, typer.Option(min=1, help="Campaigns that may run at the same time.")] = 1,
) -> None:
    """Be the daemon: run what comes due until Ctrl-C. Several daemons on one store share the work."""
    from automl import schedule
    from automl.ledger import resolve_store

    note("running what comes due; Ctrl-C ends it, and the next daemon goes on where this one stopped")
    schedule.serve(resolve_store(), at_once=at_once)


@app.command()
def tick(as_json: Json = False) -> None:
    """Run all that is due, once, and return: for cron or a systemd timer. Exit code 1 when one failed."""
    from automl import schedule
    from automl.ledger import resolve_store

    with only_json(as_json):
        fired = schedule.tick(resolve_store())
    if as_json:
        emit({"firings": [asdict(row) for row in fired]})
    else:
        for row in fired:
            say(f"{row.study}: {row.state} {row.campaign or ''} {row.reason or ''}".rstrip())
    if any(row.state == "failed" for row in fired):
        raise typer.Exit(1)


def _change(what: str, name: str) -> None:
    from automl import schedule

    with open_ledger() as (_, ledger):
        study = study_name(name)
        getattr(schedule, what)(ledger, study)
    say(f"{study}: {what}d")


def _described(ledger: Ledger, row: ScheduleRow) -> dict[str, Any]:
    from automl import schedule

    return {**asdict(row), "next": schedule.next_slot(row, ledger.now()).isoformat()}
