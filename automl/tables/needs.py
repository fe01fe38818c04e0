"""What a fitted pipeline needs to predict: seconds for a row, bytes; and what an ensemble may need."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from automl.contracts import Bounds, broken
from automl.tables.model import TableModel, predicted

if TYPE_CHECKING:
    from automl.tables.ensembles import Ensemble

NEEDS: Final = ("latency", "model_size")
REPEATS: Final = 7  # predictions of one row that are timed


def needed(model: TableModel | Ensemble, row: Any, names: Iterable[str]) -> dict[str, float]:
    """What a fitted model needs, of the metrics `names`. `row`: a DataFrame of one row, of the training data.

    `latency`: median wall seconds of a prediction of it alone by one thread, as it is served, after one to
    warm up; `model_size`: bytes of the file that holds the model.
    """
    found: dict[str, float] = {}
    if "latency" in names:
        predicted(model.fitted, row, model.classes)
        found["latency"] = median(_timed(model, row) for _ in range(REPEATS))
    if "model_size" in names:
        import skops.io  # type: ignore[import-untyped]  # takes a second to import

        found["model_size"] = float(len(skops.io.dumps(model.fitted)))
    return found


def _timed(model: TableModel | Ensemble, row: Any) -> float:
    began = time.perf_counter()
    predicted(model.fitted, row, model.classes)
    return time.perf_counter() - began


@dataclass
class Allowance:
    """What the members of an ensemble may need together. `row`: as for `needed`."""

    bounds: Mapping[str, Bounds]
    row: Any
    used: dict[str, float] = field(default_factory=dict)

    def count(self, model: TableModel) -> None:
        """Count a member that there is whatever it needs."""
        self.used = self._with(model)

    def refuses(self, model: TableModel) -> str:
        """Why a further member would be too much; "" where it is not, which counts it."""
        together = self._with(model)
        why = broken(self.bounds, together)
        if not why:
            self.used = together
        return why

    def _with(self, model: TableModel) -> dict[str, float]:
        found = needed(model, self.row, self.bounds)
        return {name: self.used.get(name, 0.0) + value for name, value in found.items()}
