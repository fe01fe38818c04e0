"""An explanation of a winner as plain data, of which terminal, page and JSON are made."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from automl.contracts import Metric
from automl.explaining.agreement import Calibration, Pairs
from automl.explaining.dependence import Dependence
from automl.explaining.errors import Group
from automl.explaining.importance import Importance

REPEATS: Final = 10
WORST: Final = 10
CURVES: Final = 6


@dataclass(frozen=True)
class Wrong:
    """A row that is predicted badly. `row`: its number in the validation part, from 1.

    `cells`: its features of the most important columns, those first.
    """

    row: int
    truth: str | float
    prediction: str | float
    loss: float
    cells: dict[str, Any]


@dataclass(frozen=True)
class Explanation:
    """What a winner goes by. `score`: its metric on `rows` of the `of` validation rows; `loss`: of rows.

    `groups`: those that are worse than the other rows beyond chance, of `looked_at`. `calibration`: of
    classes with probabilities; `pairs`: of numbers; None of the others. `notes`: what is a sample, and what
    was left out.
    """

    campaign: str
    arm: str
    trial: str
    target: str
    metric: Metric
    score: float
    rows: int
    of: int
    repeats: int
    columns: tuple[Importance, ...]
    dependence: tuple[Dependence, ...]
    loss: str
    worst: tuple[Wrong, ...]
    groups: tuple[Group, ...]
    looked_at: int
    calibration: Calibration | None
    pairs: Pairs | None
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain data, for programs."""
        data = asdict(self)
        data["metric"], data["direction"] = self.metric.name, str(self.metric.direction)
        data["columns"] = [{**asdict(one), "matters": one.matters} for one in self.columns]
        return data


@dataclass(frozen=True)
class Extent:
    """How much is looked at: shuffles of each column, worst rows, and columns with a dependence."""

    repeats: int = REPEATS
    worst: int = WORST
    curves: int = CURVES
