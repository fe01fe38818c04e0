"""The command predict: new rows through the winner of a table study.

Commands import their rooms when they run: `automl --help` starts in 0.3 s.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from automl.cli.common import Name, find_campaign, note, open_ledger, say, write_texts

if TYPE_CHECKING:
    from automl.export.predicting import TablePredictor

PANEL = "Winners"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(rich_help_panel=PANEL)(predict)


def predict(  # noqa: PLR0913 - each is an option of the command
    name: Name,
    rows: Annotated[
        str,
        typer.Argument(metavar="FILE", help="New rows, a table such as that of the study; or a database."),
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="A CSV file. Default: the terminal.")
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="A column of FILE to write beside the predictions; repeatable."),
    ] = None,
    query: Annotated[
        str | None, typer.Option(metavar="SQL", help="What to read of the database at the address FILE.")
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(metavar="P", help="Of two classes, predict the second from this probability on."),
    ] = None,
    arm: Annotated[str | None, typer.Option(help="Use the winner of this arm.")] = None,
    interval: Annotated[
        float | None,
        typer.Option(
            metavar="LEVEL", help="Of numbers: lower and upper of intervals, 0.9 for 90 %; of classes: sets."
        ),
    ] = None,
) -> None:
    """Predict the target of new rows by the fitted winner of a table study.

    Writes a row for each row of FILE, in its order: `prediction`, and for classes the probability of each;
    with --interval `lower` and `upper`, between which such a share of the targets lies, or for classes `set`,
    a JSON list of those among which such a share of the targets is.
    A long file is read and written in parts.
    Example: automl predict houses new.csv -o predictions.csv --keep id
    """
    from automl.export.predicting import predicted_file, predictor

    with open_ledger() as (_, ledger):
        campaign = find_campaign(ledger, name).id
        model = predictor(ledger, campaign, arm).at(threshold)
    told: dict[str, str] = {}  # parts of a file differ in their examples alone
    if interval is not None:
        told["intervals"] = model.intervals(interval).told
    count = 0

    def texts() -> Iterator[str]:
        nonlocal count
        for part in predicted_file(model, rows, keep or [], query, level=interval):
            count += part.rows
            for line in part.notes:
                told.setdefault(line.partition(", such as")[0], line)
            yield part.text

    if output is None:
        sys.stdout.writelines(texts())
    else:
        write_texts("-o", output, texts())
    for line in told.values():
        note(f"note: {line}")
    if output is not None:
        fitted = "" if model.rows is None else f", fitted on all {model.rows} rows"
        say(f"wrote {output}: {count} rows by {model.trial}{fitted}{_decided(model)}")


def _decided(model: TablePredictor) -> str:
    """From which probability on the second class is predicted, where that is not a half."""
    described = model.described
    if described.threshold is None:
        return ""
    return f"; {described.labels[1]!r} from a probability of {described.threshold:.3g} on"
