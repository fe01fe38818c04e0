"""Commands about campaigns: run, report.

Commands import their rooms when they run: `automl --help` starts in 0.3 s.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from automl.cli import watching
from automl.cli.common import (
    Json,
    Name,
    Set,
    Trust,
    emit,
    find_campaign,
    note,
    only_json,
    open_ledger,
    say,
    write_text,
)
from automl.cli.common import study_path as path_of
from automl.cli.masked_output import masked_output
from automl.cli.studies import forecast_lines
from automl.private import private_in

if TYPE_CHECKING:
    from automl.config import Study
    from automl.ledger import Store
    from automl.report import CampaignReport

PANEL = "Campaigns"


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    for command in (run, report):
        app.command(rich_help_panel=PANEL)(command)


def run(  # noqa: PLR0913 - each is an option of the command
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A study file, a shipped study, or one that has run.")
    ],
    overrides: Set = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start a new campaign, with seeds that none has had.")
    ] = False,
    same_seeds: Annotated[
        bool, typer.Option("--same-seeds", help="With --fresh: the seeds of the file.")
    ] = False,
    add_seeds: Annotated[
        int, typer.Option(min=0, metavar="N", help="Let the latest campaign grow by N seeds.")
    ] = 0,
    add_trials: Annotated[
        int, typer.Option(min=0, metavar="N", help="Let its searches grow by N trials each.")
    ] = 0,
    add_device_seconds: Annotated[
        float, typer.Option(min=0, metavar="S", help="Let its searches grow by S device-seconds each.")
    ] = 0.0,
    accept: Annotated[
        bool, typer.Option("--accept", help="Continue although code, spaces or data have changed.")
    ] = False,
    trust: Trust = False,
    firing: Annotated[int | None, typer.Option(hidden=True)] = None,
    progress: Annotated[str, typer.Option(help="auto, live, log, quiet, or json for programs.")] = "auto",
    as_json: Json = False,
) -> None:
    """Bring a study's latest campaign up to what its file asks for, or start the first one.

    An interrupted campaign goes on; a finished one grows when more is asked for: a larger budget, more seeds,
    arms or retrainings. Ctrl-C at any time; nothing finished is lost.

    Example: automl run studies/quickstart.yaml --set "seeds=[0, 1, 2]"
    """
    began = time.monotonic()
    from automl.config import resolve, secret_values, warnings
    from automl.forecast import forecast
    from automl.ledger import resolve_store

    store = resolve_store()  # once: an objective may change the working folder
    shown = watching.chosen_progress(progress, store, as_json)
    events = progress == watching.EVENTS
    with only_json(as_json or events), masked_output(firing is not None):  # a daemon keeps it in the store
        study = _study(file, overrides or [], store, trust)
        for line in warnings(Path(study.source)):
            note(line)
        if progress != "quiet":
            resolved = resolve(study)
            for line in (*secret_values(resolved), *forecast_lines(study, forecast(resolved))):
                note(line)
        from automl.campaign import Addition, Wanted, run_campaign

        asked = Addition(add_seeds, add_trials, add_device_seconds)
        more = None if asked == Addition() else asked
        wanted = Wanted(fresh, same_seeds, "accept" if accept else "refuse", firing, more)
        try:
            campaign = _owed(store, firing) or run_campaign(
                study, store=store, wanted=wanted, progress=shown, began=began
            )
        except BaseException as error:
            watching.broken_off(shown, error)
            raise
    with only_json(events):
        report = _show_report(campaign, as_json, store)
        watching.end_of(shown, campaign, report.reason)
        _check_found(report)
        if not as_json:
            say(f"\nnext:  automl report {campaign} --html report.html\n       automl ui {campaign}")
            say(f"       automl export {campaign} -o best.yaml")
        _promote_at_end(campaign, study, store)
        _check_arms(report)


def _owed(store: Store, firing: int | None) -> str | None:
    """The campaign of a firing that has ended, but whose promotion a kill has prevented."""
    if firing is None:
        return None
    from automl.promoting.at_end import owed_by_firing

    with open_ledger(store) as (_, ledger):
        return owed_by_firing(ledger, firing)


def _promote_at_end(campaign: str, study: Study, store: Store) -> None:
    """Promote the winner, or tell how, where the study has a gate."""
    if study.promote is None:
        return
    from automl.promoting import at_end, tell_of_champions

    with open_ledger(store) as (_, ledger):
        told = at_end(ledger, store, campaign, study.promote).told
        tell_of_champions(ledger, store, study.name, note)
    if told:
        note(told)


def _study(file: str, overrides: list[str], store: Store, trust: bool) -> Study:
    """The study of a file, or of the latest campaign of that name where there is no such file."""
    from automl.config import load_study, recorded_study
    from automl.contracts import UserError

    path = path_of(file)
    exists = store.url.startswith("postgresql") or (store.folder / "ledger.db").exists()
    if path.exists() or path.suffix or not exists:
        return load_study(path, overrides, trust=trust)
    with open_ledger(store) as (_, ledger):
        row = find_campaign(ledger, file)
    if overrides:
        raise UserError(
            f"--set changes the keys of a file, but {file!r} is the study of {row.id}; name a file"
        )
    return recorded_study(row.spec, trust=trust)


def report(
    name: Name,
    as_json: Json = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a self-contained page.")] = None,
) -> None:
    """Show how the arms compare: table, verdicts, validation, fresh-seed and test values.

    Example: automl report quickstart --html report.html
    """
    if html is None:
        _show_report(name, as_json)
        return
    # the report's libraries take a while to import
    from automl.report import collect
    from automl.report import html as page

    with only_json(as_json), open_ledger() as (store, ledger), private_in(store.folder, html):
        collected = collect(ledger, find_campaign(ledger, name).id)
        write_text("--html", html, page(collected))
    if as_json:
        emit(collected.to_json())
    else:
        say(f"wrote {html}")


def _check_found(report: CampaignReport) -> None:
    """Raise `RunError` for a campaign without a result: its program must not take it for a success."""
    from automl.contracts import RunError
    from automl.report import nothing_found

    why = nothing_found(report)
    if why is not None:
        advice = f"run the study again (all tracebacks: automl report {report.campaign} --html report.html)"
        raise RunError(f"{report.campaign} found nothing: {why}; correct the cause and {advice}")


def _check_arms(report: CampaignReport) -> None:
    """Raise `RunError` where an arm has no result, which the others are thus not compared with."""
    from automl.contracts import RunError
    from automl.report import arms_without_result

    if found := arms_without_result(report):
        listed = "; ".join(f"{name}: {why}" for name, why in found.items())
        raise RunError(
            f"{report.campaign} has no result of {', '.join(found)}, so that it says nothing about "
            f"{'it' if len(found) == 1 else 'them'}: {listed}; the others are as reported; correct the cause "
            f"and run the study again (all tracebacks: automl report {report.campaign} --html report.html)"
        )


def _show_report(name: str, as_json: bool, store: Store | None = None) -> CampaignReport:
    # the report's libraries take a while to import
    from automl.report import collect, terminal

    with only_json(as_json), open_ledger(store) as (_, ledger):
        collected = collect(ledger, find_campaign(ledger, name).id)
    if as_json:
        emit(collected.to_json())
        return collected
    from rich.console import Console

    Console().print(terminal(collected))
    return collected
