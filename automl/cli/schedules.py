"""Commands about recurring campaigns.

Commands import their rooms when they run: `automl --help` starts in 0.3 s.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from automl.cli.common import (
    Json,
    StudyFile,
    Trust,
    emit,
    note,
    only_json,
    open_ledger,
    say,
    study_name,
    study_path,
)

if TYPE_CHECKING:
    from automl.ledger import Ledger
    from automl.ledger.schedule_rows import FiringRow, ScheduleRow

Study = Annotated[str, typer.Argument(metavar="NAME", help="A study with a schedule, or its file.")]

app = typer.Typer(no_args_is_help=True, help="Run studies repeatedly, at the times of a cron expression.")


@dataclass(frozen=True)
class _Planned:
    """A schedule, its next start, and its last firing that has come to an end."""

    row: ScheduleRow
    next: datetime
    last: FiringRow | None

    @classmethod
    def of(cls, ledger: Ledger, row: ScheduleRow) -> _Planned:
        from automl import schedule

        over = [one for one in ledger.firings(row.study) if one.state in ("done", "failed", "skipped")]
        return cls(row, schedule.next_slot(row, ledger.now()), over[-1] if over else None)

    def to_json(self) -> dict[str, object]:
        shown = ("slot", "state", "campaign", "reason", "started_at", "finished_at")
        last = None if self.last is None else {name: vars(self.last)[name] for name in shown}
        return {**asdict(self.row), "next": self.next.isoformat(), "last": last}


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
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Run a study by a schedule from now on. `automl schedule run` or `tick` must run to start it.

    `--trust` is kept for all its campaigns, until the study is added again without it.
    Example: automl schedule add studies/quickstart.yaml --cron "0 2 * * *" --timezone Europe/Paris
    """
    from automl import schedule, storage
    from automl.config import load_study
    from automl.contracts import UserError
    from automl.ledger import resolve_store

    options = {"cron": cron, "timezone": timezone}
    overrides = [f"schedule.{key}={json.dumps(value)}" for key, value in options.items() if value is not None]
    path = study_path(file).resolve()
    with only_json(as_json):
        study = load_study(path, overrides, trust=trust)
        if study.notify:
            from automl.notifying import check_targets  # its libraries take a while to import

            try:
                check_targets(study)
            except UserError as error:  # the daemon may have other variables
                note(f"warning: {error} where `automl schedule run` runs")
        with storage.open_ledger(resolve_store()) as ledger:
            planned = _Planned.of(ledger, schedule.add(ledger, study, path, trusted=trust))
    if as_json:
        emit(planned.to_json())
        return
    row = planned.row
    say(f"{row.study}: {row.cron} in {row.timezone}; next: {planned.next.isoformat()}")
    say("start the daemon that runs it: automl schedule run (or automl schedule tick from cron)")


@app.command("list")
def list_(as_json: Json = False) -> None:
    """Show all schedules, their next starts and what became of their last ones."""
    from automl import schedule

    with only_json(as_json), open_ledger() as (_, ledger):
        schedules = [_Planned.of(ledger, row) for row in schedule.list_schedules(ledger)]
    if as_json:
        emit({"schedules": [planned.to_json() for planned in schedules]})
        return
    for planned in schedules:
        row = planned.row
        when = "paused" if row.paused else f"next: {planned.next.isoformat()}"
        say(f"{row.study}  {row.cron}  {row.timezone}  {when}  {row.file}")
        if planned.last is not None:
            last = planned.last
            slot = datetime.fromtimestamp(last.slot, UTC).strftime("%Y-%m-%d %H:%M UTC")
            about = " ".join(part for part in (last.campaign, last.reason) if part)
            say(f"  last: {slot}, {last.state}{f': {about}' if about else ''}")


@app.command()
def remove(name: Study) -> None:
    """Remove a schedule. A running campaign goes on."""
    from automl import schedule

    _change(schedule.remove, name, "removed")


@app.command()
def pause(name: Study) -> None:
    """Start no campaign of a study until its schedule is resumed."""
    from automl import schedule

    _change(schedule.pause, name, "paused")


@app.command()
def resume(name: Study) -> None:
    """Start a study again from its next slot on; slots of the pause stay skipped."""
    from automl import schedule

    _change(schedule.resume, name, "resumed")


@app.command()
def run(
    at_once: Annotated[int, typer.Option(min=1, help="Campaigns that may run at the same time.")] = 1,
) -> None:
    """Run the daemon until Ctrl-C: start due studies. Several daemons on one store share the work."""
    from automl import schedule
    from automl.ledger import resolve_store

    note("running studies that are due; Ctrl-C stops the daemon, and the next one continues its campaigns")
    schedule.serve(resolve_store(), at_once=at_once, tell=note)


@app.command()
def tick(as_json: Json = False) -> None:
    """Run all due studies once and return: for cron or a systemd timer. Exit code 1 when one failed."""
    from automl import schedule
    from automl.ledger import resolve_store

    with only_json(as_json):
        firings = schedule.tick(resolve_store())
    if as_json:
        emit({"firings": [asdict(firing) for firing in firings]})
    else:
        for firing in firings:
            say(f"{firing.study}: {firing.state} {firing.campaign or ''} {firing.reason or ''}".rstrip())
    if any(firing.state == "failed" for firing in firings):
        raise typer.Exit(1)


def _change(change: Callable[[Ledger, str], None], name: str, done: str) -> None:
    with open_ledger() as (_, ledger):
        study = study_name(name)
        change(ledger, study)
    say(f"{study}: {done}")
