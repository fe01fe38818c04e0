"""The command that runs the checks of a contract on one plug-in file."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from automl.cli.common import Json, emit, only_json, say

if TYPE_CHECKING:
    from automl.checking import CheckResult

PANEL = "Plug-ins"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(name="check-plugin", rich_help_panel=PANEL)(check_plugin)


def check_plugin(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The Python file of the plug-in.")],
    kind: Annotated[
        str | None, typer.Option(help="Its kind, such as strategies; by default that of its folder.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a plug-in file against the contract of its kind. Exit code 1 when a rule does not hold.

    Example: automl check-plugin my_plugins/strategies/nearby.py
    """
    from automl.checking import run_checks  # commands import their rooms when they run
    from automl.checking.kinds import file_checks

    with only_json(as_json), file_checks(file, kind) as (known, checks):
        reports = run_checks(checks, (lambda _: None) if as_json else _show)
    broken = [report for report in reports if report.problem]
    if as_json:
        emit({"file": str(file), "kind": known, "checks": [asdict(report) for report in reports]})
    else:
        say(f"{file}: {len(reports) - len(broken)} of {len(reports)} checks of {known} hold")
    if broken:
        raise typer.Exit(1)


def _show(report: CheckResult) -> None:
    """One check, as soon as it has ended."""
    say(f"{'FAILS' if report.problem else 'ok   '}  {report.name}")
    for line in report.problem.splitlines():
        say(f"       {line}")
    sys.stdout.flush()
