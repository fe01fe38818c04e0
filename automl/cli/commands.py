"""The program `automl`: all its commands, and how it shows errors."""

from __future__ import annotations

import io
import logging
import os
import shlex
import sys
import tempfile
import traceback
from importlib.metadata import version
from typing import Annotated

import typer

from automl.cli import (
    audits,
    comparisons,
    control,
    doctor,
    explanations,
    fits,
    notices,
    plugin_checks,
    predictions,
    promotions,
    queueing,
    results,
    runs,
    schedules,
    stores,
    studies,
    submissions,
    watching,
)
from automl.cli.common import reserve_output
from automl.contracts import RunError, UserError
from automl.masking import MaskingFilter, mask_text

HELP = """
Search campaigns for architectures, pipelines and hyperparameters: several methods side by side at
equal cost, a sealed test set, an honest verdict.

A first tour: [bold]automl run studies/quickstart.yaml[/], then [bold]automl report quickstart[/].
NAME is a study's name, a campaign such as quickstart-3, or a study file.
All data are kept in ./.automl, or in the store that AUTOML_STORE names (a folder, or postgresql://…).
"""

app = typer.Typer(
    name="automl",
    help=HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
for room in (
    fits,
    studies,
    runs,
    submissions,
    watching,
    queueing,
    control,
    audits,
    comparisons,
    results,
    explanations,
    predictions,
    promotions,
):
    room.register(app)
for room in (plugin_checks, stores, doctor):
    room.register(app)
app.add_typer(schedules.app, name="schedule")
app.add_typer(notices.app, name="notify")
app.add_typer(queueing.quota, name="quota")


def _version(show: bool) -> None:
    if show:
        typer.echo(f"automl {version('automl-orchestrator')}")
        raise typer.Exit


@app.callback()
def options(
    _show: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an unexpected error.")
    ] = False,
) -> None:
    """Read the options before the command."""
    if debug:
        os.environ["AUTOML_DEBUG"] = "1"


def main() -> None:
    """Run the command line. Exit codes: 0 success, 1 a failure, 2 a mistake of the user, 130 Ctrl-C."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # not every terminal has the characters of every name
        sys.stdout.reconfigure(errors="backslashreplace")
    if watching.only_objects(sys.argv):
        reserve_output()
    if logging.lastResort is not None:  # what shows warnings where nobody set logging up
        logging.lastResort.addFilter(MaskingFilter())
    try:
        app()
    except SystemExit as end:
        if end.code == 130:
            _say(f"interrupted; finished trials are safe; continue with: {_command()}")
        raise
    except UserError as error:
        _say(str(error))
        sys.exit(2)
    except RunError as error:
        _say(str(error))
        sys.exit(1)
    except Exception as error:
        _unexpected(error)
        sys.exit(1)


def _unexpected(error: Exception) -> None:
    if os.environ.get("AUTOML_DEBUG"):
        traceback.print_exception(error)
        return
    message = (
        f"unexpected {type(error).__name__}: {str(error).partition(chr(10))[0]}; finished trials are safe"
    )
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="automl-error-", suffix=".txt", delete=False, encoding="utf-8"
        ) as file:
            file.write(mask_text("".join(traceback.format_exception(error))))
    except OSError as full:
        _say(f"{message}; no file for the traceback ({full.strerror}): run again with automl --debug …")
    else:
        _say(f"{message}; traceback: {file.name}")


def _command() -> str:
    return shlex.join(["automl", *(word for word in sys.argv[1:] if word != "--fresh")])


def _say(text: str) -> None:
    sys.stderr.write(f"{mask_text(text)}\n")
