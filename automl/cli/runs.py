"""Commands about campaigns: init, check, run, report.

Commands import their rooms when they run: `automl --help` starts in 0.3 s.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from automl.cli.common import (
    Json,
    Name,
    Set,
    StudyFile,
    Trust,
    emit,
    find_campaign,
    note,
    only_json,
    open_ledger,
    say,
)
from automl.cli.common import study_path as path_of
from automl.cli.masked_output import masked_output
from automl.private import private_in

if TYPE_CHECKING:
    from automl.campaign.continuing import OnChange
    from automl.config import ResolvedStudy, Study
    from automl.data.summary import Summary
    from automl.forecast import Forecast
    from automl.ledger import Store
    from automl.report import CampaignReport

PANEL = "Campaigns"


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    for command in (init, check, run, report):
        app.command(rich_help_panel=PANEL)(command)


def init(
    source: Annotated[
        str, typer.Argument(metavar="FILE", help="A table, a folder of images, .npz or code.py.")
    ],
    target: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="The column of a table to predict.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="The study file.")
    ] = None,
) -> None:
    """Write a study file for data or code of yours, with every guess in it as a comment.

    Example: automl init houses.csv --target price
    """
    from automl import templates
    from automl.contracts import UserError

    text = templates.template(source, target)
    file = output or Path(
        f"{templates.slug(Path(source.partition('.py:')[0]).name.removesuffix('.py'))}.yaml"
    )
    if file.exists():
        raise UserError(f"automl init must not write over {file}, which exists; name another file with -o")
    write_text("-o", file, text)
    say(text.rstrip())
    say(f"\nwrote {file}\nnext:  automl check {file}\n       automl run {file}")


def check(
    file: StudyFile,
    overrides: Set = None,
    call: Annotated[
        bool, typer.Option("--call", help="Call your own code too: functions that make data, your networks.")
    ] = False,
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Check a study file and its data: every mistake at once, and what it will cost. Creates nothing.

    Code that the file names is imported, but no function of it is called.

    Example: automl check studies/quickstart.yaml --set budget.device_seconds=10
    """
    from automl.config import load_study, resolve, secret_values, warnings
    from automl.forecast import forecast

    with only_json(as_json):
        study = load_study(path_of(file), overrides or [], trust=trust)
        resolved = resolve(study)
        for evaluator in (resolved.protocol, *(arm.evaluator for arm in resolved.arms.values())):
            evaluator.check_code()
        found = None if study.task.dataset is None else _look_at_data(resolved, call)
        cost = forecast(resolved)
        for line in (*warnings(Path(study.source)), *secret_values(resolved)):
            note(line)
    if as_json:
        data = {} if found is None else {"data": found.to_json()}
        emit({"study": study.name, "arms": list(study.arms), "seeds": study.seeds, **cost.to_json(), **data})
        return
    say(f"{file} is valid")
    for line in [*_forecast(study, cost), *(found.lines() if found else [])]:
        say(line)


def _look_at_data(resolved: ResolvedStudy, call: bool) -> Summary | None:
    from automl.cli import checked  # a study without data need not wait for its libraries

    for line in () if call else checked.not_called(resolved):
        note(f"note: {line}; `automl run` does so before anything starts, and so does --call")
    return checked.data_of(resolved, call)


def run(  # noqa: PLR0913 - each is an option of the command
    file: StudyFile,
    overrides: Set = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start a new campaign instead of continuing an interrupted one.")
    ] = False,
    accept: Annotated[
        bool, typer.Option("--accept", help="Continue although code, spaces or data have changed.")
    ] = False,
    trust: Trust = False,
    firing: Annotated[int | None, typer.Option(hidden=True)] = None,
    progress: Annotated[str, typer.Option(help="auto, live, log or quiet.")] = "auto",
    as_json: Json = False,
) -> None:
    """Run a study, or continue its interrupted campaign. Ctrl-C at any time; nothing finished is lost.

    Example: automl run studies/quickstart.yaml --set "seeds=[0, 1, 2]"
    """
    began = time.monotonic()
    from automl.config import load_study, resolve, secret_values, warnings
    from automl.forecast import forecast
    from automl.ledger import resolve_store
    from automl.progress import progress_for

    shown = progress_for(progress)
    store = resolve_store()  # once: an objective may change the working folder
    with only_json(as_json), masked_output(firing is not None):  # a daemon keeps it in the store
        study = load_study(path_of(file), overrides or [], trust=trust)
        for line in warnings(Path(study.source)):
            note(line)
        if progress != "quiet":
            resolved = resolve(study)
            for line in (*secret_values(resolved), *_forecast(study, forecast(resolved))):
                note(line)
        from automl.campaign import run_campaign

        changed: OnChange = "accept" if accept else "refuse"
        campaign = run_campaign(
            study, store=store, fresh=fresh, changed=changed, firing=firing, progress=shown, began=began
        )
    _check_found(_show_report(campaign, as_json, store))
    if not as_json:
        say(f"\nnext:  automl report {campaign} --html report.html\n       automl ui")
        say(f"       automl export {campaign} -o best.yaml")


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


def _forecast(study: Study, cost: Forecast) -> list[str]:
    shown = study.seeds if len(study.seeds) <= 10 else f"{study.seeds[0]} … {study.seeds[-1]}"
    return [f"{study.name}: {', '.join(study.arms)} × seeds {shown}", *cost.lines()]


def write_text(option: str, path: Path, text: str) -> None:
    """Write a file that `option` names. Raises `UserError` when it cannot be written."""
    from automl.contracts import UserError

    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"{option} must name a writable file, but got {str(path)!r}: {error.strerror}"
        ) from error
