"""The explanation of a campaign's winner, on validation rows: the sealed test stays sealed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from automl import metrics
from automl.contracts import Metric, ReadColumn, Split, UserError, derive_seed
from automl.data import load_task
from automl.data.reading.rows import feature_names
from automl.explaining import dependence as curves
from automl.explaining.agreement import calibration, pairs
from automl.explaining.bounds import Bounds, bounds
from automl.explaining.changes import Predict
from automl.explaining.dependence import Dependence
from automl.explaining.errors import groups, row_losses
from automl.explaining.explanation import Explanation, Extent, Wrong
from automl.explaining.importance import Importance, importances, most_used
from automl.export.certificate import find_winner
from automl.export.predicting import predictor
from automl.tables.deciding import decided
from automl.tables.model import predicted
from automl.tables.thresholds import seen_by

if TYPE_CHECKING:
    from automl.ledger.ledger import Ledger

CELLS: Final = 50  # columns whose cells a wrong row shows
MOST: Final = 100  # wrong rows


def explain(
    ledger: Ledger, campaign: str, arm: str | None = None, extent: Extent | None = None
) -> Explanation:
    """Explain the fitted winner of a table study; equal calls give equal values.

    Raises `UserError` when it is no fitted table, or when the data are no longer those of the campaign.
    """
    model = predictor(ledger, campaign, arm, refit=False)  # validation rows are none that it has seen
    winner = find_winner(ledger, campaign, arm)
    task = load_task(winner.task.model_dump(mode="json"), winner.import_path)
    if winner.certificate.data not in (None, task.digest):
        raise UserError(
            f"a winner must be explained on the data it was chosen by, but those of {campaign} have changed "
            f"(digests {winner.certificate.data} and {task.digest}); restore them, or run the study again"
        )
    subject = _Subject(
        predict=lambda x: predicted(model.fitted, x, task.classes),
        columns={one.name: one for one in model.described.reading.columns},
        metric=winner.task.metrics[0],
        labels=task.labels,
        target=model.described.reading.target or "the target",
        seed=derive_seed(task.digest, "explain"),
        threshold=model.described.threshold,
    )
    names = (campaign, winner.certificate.arm, model.trial)
    return _explained(subject, names, task.validation, extent or Extent())


@dataclass(frozen=True)
class _Subject:
    """A fitted model, and what its numbers mean. `columns`: of the file, by name; `labels`: of classes."""

    predict: Predict
    columns: Mapping[str, ReadColumn]
    metric: Metric
    labels: Sequence[str]
    target: str
    seed: int
    threshold: float | None = None

    def seen(self, x: Any) -> np.ndarray:
        """The predictions of `x` as its metric sees them."""
        return self.judged(self.predict(x))

    def judged(self, predictions: np.ndarray) -> np.ndarray:
        """Those as its metric sees them: decided by the threshold, where it goes by what is predicted."""
        return seen_by(self.metric.name, predictions, self.threshold)


@dataclass(frozen=True)
class _Rows:
    """Rows that are looked at: `numbers` (n,) in the validation part, from 0, DataFrame, targets."""

    numbers: np.ndarray
    x: Any
    y: np.ndarray

    def drawn(self, rows: int, seed: int) -> _Rows:
        """At most so many of them."""
        places = np.sort(np.random.default_rng(seed).permutation(len(self.y))[:rows])
        return _Rows(self.numbers[places], self.x.iloc[places].reset_index(drop=True), self.y[places])


def _explained(subject: _Subject, names: tuple[str, str, str], part: Split, extent: Extent) -> Explanation:
    """`names`: of campaign, arm and trial; `part`: the validation rows."""
    limits = bounds(len(part), len(subject.columns), part.x.shape[1], extent.repeats)
    rows = _Rows(np.arange(len(part)), part.x, part.y).drawn(limits.rows, subject.seed)
    name, found = subject.metric.name, subject.predict(rows.x)
    loss = row_losses(name, rows.y, subject.judged(found))
    important = _importances(subject, rows, limits, extent.repeats)
    dependent, skipped = _dependences(subject, rows, important, extent.curves)
    divided = groups(rows.x, loss.values)
    return Explanation(
        *names,
        target=subject.target,
        metric=subject.metric,
        score=metrics.score([name], rows.y, subject.judged(found))[name],
        rows=len(rows.y),
        of=len(part),
        repeats=extent.repeats,
        columns=tuple(important),
        dependence=tuple(dependent),
        loss=loss.name,
        worst=tuple(_worst(subject, rows, found, loss.values, important)[: extent.worst]),
        groups=tuple(one for one in divided if one.worse),
        looked_at=len(divided),
        calibration=calibration(rows.y, found, subject.labels) if subject.labels else None,
        pairs=None if subject.labels else pairs(rows.y, found, subject.seed),
        notes=(*_decided(subject), *_left_out(limits, len(part), len(subject.columns)), *skipped),
    )


def _importances(subject: _Subject, rows: _Rows, limits: Bounds, repeats: int) -> list[Importance]:
    features = {name: feature_names(column) for name, column in subject.columns.items()}
    few = rows.drawn(limits.chosen_by, subject.seed)
    chosen = most_used(subject.predict, few.x, features, subject.seed, limits.columns)
    shuffled = rows.drawn(limits.shuffled, subject.seed)
    table = (shuffled.x, shuffled.y)
    return importances(subject.seen, table, chosen, subject.metric, subject.seed, repeats)


def _dependences(
    subject: _Subject, rows: _Rows, important: Sequence[Importance], count: int
) -> tuple[list[Dependence], list[str]]:
    """Of the `count` most important columns that can be followed, and notes of those before that cannot."""
    outputs = curves.outputs_of(subject.labels, rows.y, subject.target)
    few = rows.drawn(curves.ROWS, subject.seed)
    found: list[Dependence] = []
    skipped: list[str] = []
    for one in important:
        if len(found) == count or one.mean <= 0:
            break
        points = curves.grid(subject.columns[one.column], rows.x)
        if points is None:
            skipped.append(one.column)
        else:
            found.append(curves.dependence(subject.predict, few.x, one.column, points, outputs))
    if not skipped or not count:
        return found, []
    names = ", ".join(repr(name) for name in skipped[:5])
    more = f" and {len(skipped) - 5} more" if len(skipped) > 5 else ""
    return found, [f"no partial dependence of {names}{more}: lists, addresses, words, or a single value"]


def _decided(subject: _Subject) -> list[str]:
    if subject.threshold is None:
        return []
    return [f"{subject.labels[1]!r} is predicted from a probability of {subject.threshold:.3g} on"]


def _left_out(limits: Bounds, of: int, columns: int) -> list[str]:
    """Sentences on what is a sample."""
    told = []
    if limits.rows < of:
        told.append(f"{limits.rows:,} rows, drawn of {of:,} validation rows, are looked at")
    if limits.columns < columns:
        told.append(
            f"importance of {limits.columns:,} of {columns:,} columns: of those whose single shuffle changed "
            f"the predictions of {limits.chosen_by:,} rows most; the others are left out"
        )
    if limits.shuffled < limits.rows:
        told.append(f"importance on {limits.shuffled:,} of these rows")
    return told


def _worst(
    subject: _Subject, rows: _Rows, found: np.ndarray, losses: np.ndarray, important: Sequence[Importance]
) -> list[Wrong]:
    """Rows that lose something, the largest loss first, and of equal ones the least probable."""
    y, labels = rows.y, subject.labels
    classes = decided(found, subject.threshold).argmax(axis=1) if labels else y
    sure = found[np.arange(len(y)), y] if found.ndim == 2 else np.zeros(len(y))
    places = [place for place in np.lexsort((np.arange(len(y)), sure, -losses)) if losses[place] > 0]
    names = [name for one in important[:CELLS] for name in feature_names(subject.columns[one.column])]
    cells = rows.x[names].iloc[places[:MOST]]
    return [
        Wrong(
            row=int(rows.numbers[place]) + 1,
            truth=labels[y[place]] if labels else float(y[place]),
            prediction=labels[int(classes[place])] if labels else float(found[place]),
            loss=float(losses[place]),
            cells={str(name): _plain(cell) for name, cell in cells.iloc[number].items()},
        )
        for number, place in enumerate(places[:MOST])
    ]


def _plain(cell: Any) -> str | float | None:
    import pandas as pd  # pandas takes half a second to import

    if pd.isna(cell):
        return None
    return float(cell) if isinstance(cell, int | float | np.number | np.bool_) else str(cell)
