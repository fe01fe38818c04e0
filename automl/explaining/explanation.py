"""The explanation of a campaign's winner, on validation rows: the sealed test stays sealed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from automl import metrics
from automl.contracts import Metric, UserError, derive_seed
from automl.data import load_task
from automl.data.reading.rows import feature_names
from automl.explaining.errors import Group, groups, row_losses
from automl.explaining.importance import Importance, importances
from automl.export.certificate import find_winner
from automl.export.predicting import predictor
from automl.tables.model import predicted

if TYPE_CHECKING:
    from automl.ledger.ledger import Ledger

ROWS: Final = 10_000  # of the validation part that are looked at
REPEATS: Final = 10
WORST: Final = 10


@dataclass(frozen=True)
class Wrong:
    """A row that is predicted badly. `row`: its number in the validation part, from 1; `cells`: features."""

    row: int
    truth: str | float
    prediction: str | float
    loss: float
    cells: dict[str, Any]


@dataclass(frozen=True)
class Explanation:
    """What a winner goes by. `score`: its metric on `rows` of the `of` validation rows; `loss`: of rows.

    `groups`: those that are worse than the other rows beyond chance, of `looked_at`.
    """

    campaign: str
    arm: str
    trial: str
    metric: Metric
    score: float
    rows: int
    of: int
    repeats: int
    columns: tuple[Importance, ...]
    loss: str
    worst: tuple[Wrong, ...]
    groups: tuple[Group, ...]
    looked_at: int

    def to_json(self) -> dict[str, Any]:
        """Plain data, for programs."""
        data = asdict(self)
        data["metric"], data["direction"] = self.metric.name, str(self.metric.direction)
        data["columns"] = [{**asdict(one), "matters": one.matters} for one in self.columns]
        return data


def explain(
    ledger: Ledger, campaign: str, arm: str | None = None, *, repeats: int = REPEATS, worst: int = WORST
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
    metric, seed = winner.task.metrics[0], derive_seed(task.digest, "explain")
    of = len(task.validation)
    rows = np.sort(np.random.default_rng(seed).permutation(of)[:ROWS])
    x, y = task.validation.x.iloc[rows].reset_index(drop=True), task.validation.y[rows]

    def predict(features: Any) -> np.ndarray:
        return predicted(model.fitted, features, task.classes)

    found = predict(x)
    loss = row_losses(metric.name, y, found)
    columns = {one.name: feature_names(one) for one in model.described.reading.columns}
    divided = groups(x, loss.values)
    return Explanation(
        campaign=campaign,
        arm=winner.certificate.arm,
        trial=model.trial,
        metric=metric,
        score=metrics.score([metric.name], y, found)[metric.name],
        rows=len(rows),
        of=of,
        repeats=repeats,
        columns=tuple(importances(predict, (x, y), columns, metric, seed, repeats)),
        loss=loss.name,
        worst=tuple(_worst(x, (y, found), loss.values, rows, task.labels)[:worst]),
        groups=tuple(one for one in divided if one.worse),
        looked_at=len(divided),
    )


def _worst(
    x: Any,
    values: tuple[np.ndarray, np.ndarray],
    losses: np.ndarray,
    rows: np.ndarray,
    labels: tuple[str, ...],
) -> list[Wrong]:
    """Rows that lose something, the largest loss first, and of equal ones the least probable."""
    y, found = values
    sure = found[np.arange(len(y)), y] if found.ndim == 2 else np.zeros(len(y))
    places = [place for place in np.lexsort((np.arange(len(y)), sure, -losses)) if losses[place] > 0]
    return [
        Wrong(
            row=int(rows[place]) + 1,
            truth=labels[y[place]] if labels else float(y[place]),
            prediction=labels[int(found[place].argmax())] if labels else float(found[place]),
            loss=float(losses[place]),
            cells={str(name): _plain(cell) for name, cell in x.iloc[place].items()},
        )
        for place in places[:100]
    ]


def _plain(cell: Any) -> str | float | None:
    import pandas as pd  # pandas takes half a second to import

    if pd.isna(cell):
        return None
    return float(cell) if isinstance(cell, int | float | np.number | np.bool_) else str(cell)
