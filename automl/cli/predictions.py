"""The command predict: new rows through the winner of a table study.

Commands import their rooms when they run: `automl --help` starts in 0.3 s.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from automl.cli.common import Name, find_campaign, note, open_ledger, say, write_text

PANEL = "Winners"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(rich_help_panel=PANEL)(predict)


def predict(
    name: Name,
    rows: Annotated[
        Path, typer.Argument(metavar="FILE", help="New rows, a table such as that of the study.")
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="A CSV file. Default: the terminal.")
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="A column of FILE to write beside the predictions; repeatable."),
    ] = None,
    arm: Annotated[str | None, typer.Option(help="Use the winner of this arm.")] = None,
) -> None:
    """Predict the target of new rows by the fitted winner of a table study.

    Writes a row for each row of FILE, in its order: `prediction`, and for classes the probability of each.
    Example: automl predict houses new.csv -o predictions.csv --keep id
    """
    from automl.export.predicting import predictor, read_rows, with_columns

    with open_ledger() as (_, ledger):
        campaign = find_campaign(ledger, name).id
        model = predictor(ledger, campaign, arm)
    table, notes = read_rows(rows, model.read)
    found, told = model.predict(table)
    text = with_columns(table, keep or [], found).to_csv(index=False)
    for line in (*notes, *told):
        note(f"note: {line}")
    if output is None:
        sys.stdout.write(text)
        return
    write_text("-o", output, text)
    say(f"wrote {output}: {len(found)} rows by {model.trial}")
