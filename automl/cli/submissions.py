"""The command that lets the head of a cluster run a study's driver.

Commands import their rooms when they run: `automl --help` starts in 0.3 s.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from automl.cli.common import Set, Trust, note, say
from automl.cli.common import study_path as path_of
from automl.contracts import UserError

if TYPE_CHECKING:
    from automl.executors.tune.jobs import Jobs

PANEL = "Campaigns"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(rich_help_panel=PANEL)(submit)


def submit(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A study file, or a shipped study.")] = "",
    address: Annotated[
        str,
        typer.Option(
            metavar="URL", envvar="RAY_API_SERVER_ADDRESS", help="The head's dashboard: http://HEAD:8265"
        ),
    ] = "",
    overrides: Set = None,
    trust: Trust = False,
    logs: Annotated[str, typer.Option(metavar="JOB", help="Follow what a job's driver says.")] = "",
    stop: Annotated[str, typer.Option(metavar="JOB", help="End a job's driver, as by Ctrl-C.")] = "",
) -> None:
    """Let the head of a Ray cluster run a study: its code and data travel there, and this program may end.

    The head's own AUTOML_STORE is used. Submitted again, a campaign goes on where it was.

    Example: automl submit mine.yaml --address http://head:8265
    """
    if sum(map(bool, (file, logs, stop))) != 1:
        raise UserError("automl submit takes one of FILE, --logs JOB and --stop JOB; name one of them")
    if not address:
        raise UserError(
            "--address must name the head's dashboard, but is not given; such as http://head:8265"
        )
    from automl.executors.tune.jobs import Jobs

    jobs = Jobs(address)
    if logs:
        for text in jobs.output(logs):
            sys.stdout.write(text)
            sys.stdout.flush()
    elif stop:
        said = "asked to end; finished trials are safe" if jobs.stop(stop) else "has ended already"
        note(f"{stop} {said}")
    else:
        _submit(jobs, address, path_of(file), overrides or [], trust)


def _submit(jobs: Jobs, address: str, path: Path, overrides: list[str], trust: bool) -> None:
    from automl.campaign import luggage_of
    from automl.config import load_study, resolve

    study = load_study(path, overrides, trust=trust)
    executor = resolve(study).executor
    if "address" not in executor.place_options:
        raise UserError(
            f"the executor of a submitted study must join a cluster, but it is {study.executor.name}; "
            "add --set 'executor={ray: {}}'"
        )
    changes = [*overrides, f"executor.{study.executor.name}.address=auto"]
    words = [word for change in changes for word in ("--set", change)] + ["--trust"] * trust
    job = jobs.submit(study.name, luggage_of(study), path, words)
    say(job)
    note(f"submitted; it goes on without this program. next:  automl submit --address {address} --logs {job}")
    note(f"automl watch {study.name} shows how far it is, where AUTOML_STORE names the head's store")
