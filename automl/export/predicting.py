"""New rows through a campaign's winner: the table is read as the training rows were."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from automl.contracts import ReadSpec, UserError
from automl.data.reading.cells import ENDINGS, cells, is_table
from automl.data.reading.database import query_cells
from automl.data.reading.grid import nearest_first
from automl.export import known
from automl.export.certificate import find_winner
from automl.export.known import model_of, needed_retraining
from automl.export.table_folder import predictions
from automl.files import is_database, named_database, shown
from automl.tables import saved
from automl.tables.conformal import Calibration, calibrated, read_calibration

if TYPE_CHECKING:
    from automl.ledger.ledger import Ledger

ROWS: Final = 20_000  # in memory at a time


@dataclass(frozen=True)
class TablePredictor:
    """The fitted winner of a table study. `trial`: the one that left it; `read`: the study's.

    `rows`: all that there are, where it was fitted on those; None: on the training rows. `calibration`: what
    intervals or sets are made of, None where that was not kept.
    """

    trial: str
    fitted: Any
    described: saved.Described
    read: ReadSpec
    rows: int | None = None
    calibration: Calibration | None = None

    def at(self, threshold: float | None) -> TablePredictor:
        """The same, which predicts the second of two classes from another threshold on; None: its own.

        Raises `UserError` for what has no two classes, and for one that is no probability.
        """
        if threshold is None:
            return self
        labels = self.described.labels
        if len(labels) != 2 or not 0 <= threshold <= 1:
            what = f"{len(labels)} classes" if labels else "numbers"
            raise UserError(
                "a threshold must be a probability from 0 to 1 of the second of two classes, but got "
                f"{threshold:g} for a model of {what}; leave it out or correct it"
            )
        return replace(self, described=replace(self.described, threshold=threshold))

    def predict(self, table: Any, level: float | None = None) -> tuple[Any, list[str]]:
        """Predictions for the rows of the DataFrame `table`, and notes; see `predictions`.

        `level`: of intervals or sets.
        """
        calibration = None if level is None else self.intervals(level)
        return predictions(self.fitted, self.described, table, calibration, level or 0.0)

    def intervals(self, level: float) -> Calibration:
        """What intervals or sets of a `level` are made of. Raises `UserError` where there are none."""
        found = calibrated(self.calibration)
        found.quantile(level)
        return found


def predictor(
    ledger: Ledger, campaign_id: str, arm: str | None = None, *, refit: bool = True
) -> TablePredictor:
    """The winner of a campaign, or of one arm: of its retrainings the best on validation data.

    `refit`: where it was fitted again on all rows, that. Without it, no validation row was seen. Raises
    `UserError` when it is no fitted table.
    """
    winner = find_winner(ledger, campaign_id, arm)
    best = needed_retraining(ledger, winner, "a winner must have been fitted to predict")
    again = known.refit(ledger, winner) if refit else None
    with model_of(again or best) as folder:
        if not (folder / saved.FITTED).is_file():
            raise UserError(
                f"`automl predict` needs a fitted table, but the winner of {campaign_id} was trained by "
                f"{winner.training.name!r}, which leaves none in {folder}; export it (automl export), or run "
                "the study again where an earlier version ran it"
            )
        importlib.import_module("automl.tables.skops_alone")  # sooner there than what `load` imports
        fitted, described = saved.load(folder)
        calibration = read_calibration(folder)
    rows = None if again is None else round((again.metrics or {}).get("rows", 0))
    return TablePredictor((again or best).id, fitted, described, winner.task.read, rows, calibration)


@dataclass(frozen=True)
class Predicted:
    """Predictions of some rows of a file, as CSV; the first ones have the header."""

    text: str
    rows: int
    notes: list[str]


def predicted_file(
    model: TablePredictor,
    source: str | Path,
    keep: Sequence[str] = (),
    query: str | None = None,
    size: int = ROWS,
    level: float | None = None,
) -> Iterator[Predicted]:
    """Predictions for the rows of a table file, in its order, with its columns `keep` before them.

    With a `query`, `source` is the address of a database. `size` rows are in memory at a
    time. `level`: of intervals or sets. Raises `UserError` for rows that are not read as those of the study.
    """
    first = True
    for table, notes in row_parts(source, model.read, query, size):
        found, told = model.predict(table, level)
        text = with_columns(table, keep, found).to_csv(index=False, header=first)
        yield Predicted(text, len(table), [*notes, *told])
        first = False


def read_rows(source: str | Path, read: ReadSpec, query: str | None = None) -> tuple[Any, list[str]]:
    """All cells of a table file or of a query, and notes of what was found out. Raises `UserError`."""
    import pandas as pd  # pandas takes half a second to import

    parts = list(row_parts(source, read, query))
    notes = dict.fromkeys(note for _, told in parts for note in told)
    return pd.concat([frame for frame, _ in parts]), list(notes)


def row_parts(
    source: str | Path, read: ReadSpec, query: str | None = None, size: int = ROWS
) -> Iterator[tuple[Any, list[str]]]:
    """The cells of a table file or of a query, `size` rows at a time, and notes of what was found out.

    Raises `UserError`.
    """
    source = str(source)
    if is_database(source) != (query is not None):
        raise UserError(
            "--query must come with the address of a database, such as sqlite:///houses.db, and such an "
            f"address with it, but got {shown(source)} {'without' if query is None else 'and'} --query; "
            "correct one of them"
        )
    if query is not None:
        url = named_database(source, "the address of new rows", Path.cwd())
        yield from ((grid.frame, list(grid.notes)) for grid in query_cells(url, query, size))
        return
    path = Path(source)
    if not is_table(path):
        raise UserError(
            f"new rows must be a table such as rows.csv, but got {path}; its name must end in one of "
            f"{', '.join(ENDINGS)}"
        )
    for grid in cells(path, read, size):
        yield grid.frame, list(grid.notes)


def with_columns(table: Any, names: Sequence[str], found: Any) -> Any:
    """Predictions with columns of their rows before them. Raises `UserError` for a name that cannot be."""
    import pandas as pd  # pandas takes half a second to import

    absent = [name for name in names if name not in table.columns]
    if absent:
        raise UserError(
            f"--keep must name a column of the rows, but there is no {absent[0]!r}; there are: "
            f"{nearest_first(absent[0], list(table.columns))}"
        )
    both = [name for name in names if name in found.columns]
    if both:
        raise UserError(
            f"--keep must name no column of predictions, but got {both[0]!r}; rename it in the file"
        )
    return pd.concat([table[list(names)], found], axis=1)
