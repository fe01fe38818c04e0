"""Commands about the targets of a study, and what they were told.

Commands import their rooms when they run: `automl --help` starts in 0.3 s.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from automl.cli.common import Json, Set, StudyFile, Trust, emit, only_json, open_ledger, say, study_name
from automl.cli.common import study_path as path_of

app = typer.Typer(no_args_is_help=True, help="Who is told of what becomes of a study's campaigns.")


@app.command()
def test(file: StudyFile, overrides: Set = None, trust: Trust = False, as_json: Json = False) -> None:
    """Send one message to each target of a study file, whatever its events. Exit code 1 when one fails.

    Example: automl notify test nightly.yaml
    """
    from automl.config import load_study
    from automl.contracts import UserError
    from automl.notifying import Targets
    from automl.notifying.composing import trial_message
    from automl.notifying.senders import send

    with only_json(as_json):
        study = load_study(path_of(file), overrides or [], trust=trust)
        if not study.notify:
            text = f"{file}: notify must name a target to be tested, but there is none"
            raise UserError(f"{text}; write notify: [{{file: notices.jsonl}}], say")
        targets, message = Targets.of(study), trial_message(study.name)
        faults = {
            entry.label: send(entry, message, targets.folder, entry.timeout) for entry in targets.entries
        }
    if as_json:
        emit(
            {"message": message.id, "targets": [{"target": k, "fault": v or None} for k, v in faults.items()]}
        )
    else:
        for label, why in faults.items():
            say(f"{label}: {f'NOT sent: {why}' if why else 'sent'}")
    if any(faults.values()):
        raise typer.Exit(1)


@app.command()
def log(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A study or campaign; by default all.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show who was told of what, who was not, and why.

    Example: automl notify log nightly
    """
    with only_json(as_json), open_ledger() as (_, ledger):
        rows = ledger.notices()
        if name is not None:
            study = study_name(name)
            rows = [row for row in rows if study in (row.study, row.campaign)]
    if as_json:
        emit({"notices": [asdict(row) for row in rows]})
        return
    for row in rows:
        moment = datetime.fromtimestamp(row.at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        about = f"{moment}  {row.campaign or row.study}  {row.event}  {row.target}  {row.state}"
        say(f"{about}{f': {row.reason}' if row.reason else ''}")
