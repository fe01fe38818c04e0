"""The command that examines an installation and its store.

Commands import their rooms when they run: `automl --help` starts in 0.3 s.
"""

from __future__ import annotations

from typing import Final

import typer

from automl.cli.common import Json, emit, only_json, say
from automl.cli.stores import PANEL

MARKS: Final = {"well": "ok", "warning": "!", "problem": "PROBLEM"}


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(rich_help_panel=PANEL)(doctor)


def doctor(as_json: Json = False) -> None:
    """Examine packages, devices, disks, the store, MLflow and Ray. Changes nothing; exit 1 with a problem.

    Example: automl doctor --json
    """
    from automl.doctor import Level, examine

    found = []
    with only_json(as_json):
        for finding in examine():
            found.append(finding)
            if not as_json:
                say(f"{MARKS[finding.level]:>7}  {finding.topic}: {finding.text}")
            if not as_json and finding.advice:
                say(f"{'':>7}  → {finding.advice}")
    counts = {str(level): sum(one.level is level for one in found) for level in Level}
    if as_json:
        emit({**counts, "findings": [one.to_json() for one in found]})
    else:
        say(f"\n{counts['problem']} problems, {counts['warning']} warnings")
    if counts["problem"]:
        raise typer.Exit(1)
